# One machine of the lab with libtorrent; speaks as our-peer.ts does.
#
# Tuned as its manual says ("tuning" and the settings reference): TCP only, no encryption, many connections at once,
# unchoking by what peers take, long request queues and large send buffers. Without super-seeding: that was slower here
# (1.9 in the place of 1.6 times the bound).
import json
import os
import select
import sys

import libtorrent as lt

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from plain_libtorrent import PLAIN

role, torrent, directory, tracker = sys.argv[1:5]


def say(**line):
    print(json.dumps(line), flush=True)


session = lt.session({
    **PLAIN,
    'listen_interfaces': '0.0.0.0:6881',
    'alert_mask': int(lt.alert.category_t.status_notification),
    'mixed_mode_algorithm': int(lt.bandwidth_mixed_algo_t.prefer_tcp),
    'choking_algorithm': int(lt.choking_algorithm_t.fixed_slots_choker),
    'seed_choking_algorithm': int(lt.seed_choking_algorithm_t.fastest_upload),
    'unchoke_slots_limit': 20,
    'connection_speed': 500,
    'torrent_connect_boost': 100,
    'request_queue_time': 1,
    'max_out_request_queue': 1500,
    'max_allowed_in_request_queue': 2000,
    'send_buffer_low_watermark': 64 * 1024,
    'send_buffer_watermark': 1024 * 1024,
    'send_buffer_watermark_factor': 100,
    'rate_limit_ip_overhead': False,
    'peer_turnover': 0,
})
say(ready=True)
sys.stdin.readline()
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = directory
params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
if role != 'agent':
    params.flags |= lt.torrent_flags.seed_mode
if tracker != '-':
    params.trackers = [tracker]
handle = session.add_torrent(params)
said = role != 'agent'
while True:
    if select.select([sys.stdin], [], [], 0)[0]:
        break
    session.wait_for_alert(50)
    for alert in session.pop_alerts():
        if isinstance(alert, lt.torrent_finished_alert) and not said:
            said = True
            say(done=True)
status = handle.status()
say(receivedBytes=status.total_payload_download, sentBytes=status.total_payload_upload)
os._exit(0)

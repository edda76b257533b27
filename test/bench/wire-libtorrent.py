# One end of the wire benchmark with libtorrent: `seed` or `fetch`. Prints the same JSON lines as wire-peer.ts.
import json
import os
import resource
import sys
import time

import libtorrent as lt

sys.dont_write_bytecode = True
from plain_libtorrent import PLAIN

role, torrent, directory = sys.argv[1:4]
peer = sys.argv[4] if len(sys.argv) > 4 else None


def say(**line):
    print(json.dumps(line), flush=True)


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


session = lt.session({
    **PLAIN,
    'listen_interfaces': '127.0.0.1:0',
    'alert_mask': 0,
})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = directory
if role == 'seed':
    params.flags |= lt.torrent_flags.seed_mode
started, before = time.monotonic(), cpu_seconds()
handle = session.add_torrent(params)
handle.resume()
while session.listen_port() == 0:
    time.sleep(0.01)
say(port=session.listen_port())
if role == 'fetch':
    host, port = peer.rsplit(':', 1)
    handle.connect_peer((host, int(port)))
    while not handle.status().is_seeding:
        time.sleep(0.005)
    say(seconds=time.monotonic() - started, cpuSeconds=cpu_seconds() - before)
else:
    sys.stdin.read()
    say(cpuSeconds=cpu_seconds() - before)
os._exit(0)

# A libtorrent client as its manual begins: one torrent, into one folder, seeded once it is whole. Ends when it is told to.
import sys
import time

import libtorrent

torrent, folder, address, port = sys.argv[1:5]
session = libtorrent.session({
    'listen_interfaces': f'{address}:{port}',
    'enable_dht': False,
    'enable_lsd': False,
    'enable_upnp': False,
    'enable_natpmp': False,
})
session.add_torrent({'ti': libtorrent.torrent_info(torrent), 'save_path': folder})
while True:
    time.sleep(1)

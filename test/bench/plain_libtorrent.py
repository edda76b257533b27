# What every benchmark with libtorrent sets: TCP only, no encryption, and nothing on that would look for anybody.
import libtorrent as lt

PLAIN = {
    'enable_dht': False,
    'enable_lsd': False,
    'enable_upnp': False,
    'enable_natpmp': False,
    'enable_incoming_utp': False,
    'enable_outgoing_utp': False,
    'out_enc_policy': int(lt.enc_policy.disabled),
    'in_enc_policy': int(lt.enc_policy.disabled),
    'allow_multiple_connections_per_ip': True,
}

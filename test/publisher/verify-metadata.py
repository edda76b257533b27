# Verifies every signature of a repository's metadata with the library that python-tuf stands on, from the first root down.
import json
import os
import sys

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import Signature, SSlibKey

folder = sys.argv[1]


def load(name):
    with open(os.path.join(folder, name), "rb") as file:
        return json.load(file)


def verify(name, role, keys):
    metadata = load(name)
    signed = encode_canonical(metadata["signed"]).encode("utf-8")
    good = set()
    for signature in metadata["signatures"]:
        keyid = signature["keyid"]
        if keyid in role["keyids"] and keyid in keys:
            SSlibKey.from_dict(keyid, dict(keys[keyid])).verify_signature(Signature.from_dict(dict(signature)), signed)
            good.add(keyid)
    if len(good) < role["threshold"]:
        sys.exit(f"{name}: {len(good)} of {role['threshold']} signatures")
    return metadata["signed"]


root = load("1.root.json")["signed"]
verify("1.root.json", root["roles"]["root"], root["keys"])
while os.path.exists(os.path.join(folder, f"{root['version'] + 1}.root.json")):
    name = f"{root['version'] + 1}.root.json"
    newer = load(name)["signed"]
    for one in (root, newer):
        verify(name, one["roles"]["root"], one["keys"])
    root = newer
timestamp = verify("timestamp.json", root["roles"]["timestamp"], root["keys"])
version = timestamp["meta"]["snapshot.json"]["version"]
snapshot = verify(f"{version}.snapshot.json", root["roles"]["snapshot"], root["keys"])
targets = verify(f"{snapshot['meta']['targets.json']['version']}.targets.json", root["roles"]["targets"], root["keys"])
for role in targets["delegations"]["roles"]:
    version = snapshot["meta"][f"{role['name']}.json"]["version"]
    verify(f"{version}.{role['name']}.json", role, targets["delegations"]["keys"])
print("verified")

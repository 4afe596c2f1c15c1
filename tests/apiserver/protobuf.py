#!/usr/bin/env python3
"""What a kube-apiserver answers as application/vnd.kubernetes.protobuf, made of its JSON.

`protobuf.py answer`, `events` (one a line) and `items` (of a List, each as an event) read JSON from standard input.

The numbers are those of generated.proto in k8s.io/apimachinery and k8s.io/api. As in Go's encoding, fields that are no pointers are
written even when they are empty, and fields stand in the order of their numbers.
"""

import datetime
import json
import sys

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"

# message: {field: (number, type)}. Types: str, int, bool; "str!", "int!": written when absent too; "time", "map", "IntOrString"; the name
# of a message, "Name!" where Go writes it when absent too; [type] for a list.
MESSAGES = {
    "TypeMeta": {"apiVersion": (1, "str"), "kind": (2, "str")},
    "ListMeta": {"selfLink": (1, "str!"), "resourceVersion": (2, "str!"), "continue": (3, "str!"), "remainingItemCount": (4, "int")},
    "ObjectMeta": {"name": (1, "str!"), "generateName": (2, "str!"), "namespace": (3, "str!"), "selfLink": (4, "str!"), "uid": (5, "str!"),
        "resourceVersion": (6, "str!"), "generation": (7, "int!"), "creationTimestamp": (8, "time!"), "deletionTimestamp": (9, "time"),
        "deletionGracePeriodSeconds": (10, "int"), "labels": (11, "map"), "annotations": (12, "map"),
        "ownerReferences": (13, ["OwnerReference"]), "finalizers": (14, ["str"]), "managedFields": (17, ["ManagedFieldsEntry"])},
    "OwnerReference": {"kind": (1, "str!"), "name": (3, "str!"), "uid": (4, "str!"), "apiVersion": (5, "str!"), "controller": (6, "bool"),
        "blockOwnerDeletion": (7, "bool")},
    "ManagedFieldsEntry": {"manager": (1, "str!"), "operation": (2, "str!"), "apiVersion": (3, "str!"), "time": (4, "time"),
        "fieldsType": (6, "str!"), "fieldsV1": (7, "json"), "subresource": (8, "str!")},
    "Status": {"metadata": (1, "ListMeta!"), "status": (2, "str!"), "message": (3, "str!"), "reason": (4, "str!"), "code": (6, "int!")},
    "Service": {"metadata": (1, "ObjectMeta!"), "spec": (2, "ServiceSpec!"), "status": (3, "ServiceStatus!")},
    "ServiceSpec": {"ports": (1, ["ServicePort"]), "selector": (2, "map"), "clusterIP": (3, "str!"), "type": (4, "str!"),
        "externalIPs": (5, ["str"]), "sessionAffinity": (7, "str!"), "loadBalancerIP": (8, "str!"), "loadBalancerSourceRanges": (9, ["str"]),
        "externalName": (10, "str!"), "externalTrafficPolicy": (11, "str!"), "healthCheckNodePort": (12, "int!"),
        "publishNotReadyAddresses": (13, "bool!"), "sessionAffinityConfig": (14, "SessionAffinityConfig"), "ipFamilyPolicy": (17, "str"),
        "clusterIPs": (18, ["str"]), "ipFamilies": (19, ["str"]), "allocateLoadBalancerNodePorts": (20, "bool"),
        "loadBalancerClass": (21, "str"), "internalTrafficPolicy": (22, "str"), "trafficDistribution": (23, "str")},
    "ServicePort": {"name": (1, "str!"), "protocol": (2, "str!"), "port": (3, "int!"), "targetPort": (4, "IntOrString!"),
        "nodePort": (5, "int!"), "appProtocol": (6, "str")},
    "SessionAffinityConfig": {"clientIP": (1, "ClientIPConfig")},
    "ClientIPConfig": {"timeoutSeconds": (1, "int")},
    "ServiceStatus": {"loadBalancer": (1, "LoadBalancerStatus!")},
    "LoadBalancerStatus": {"ingress": (1, ["LoadBalancerIngress"])},
    "LoadBalancerIngress": {"ip": (1, "str!"), "hostname": (2, "str!"), "ipMode": (3, "str")},
    "Node": {"metadata": (1, "ObjectMeta!"), "spec": (2, "NodeSpec!"), "status": (3, "NodeStatus!")},
    "NodeSpec": {"podCIDR": (1, "str!"), "providerID": (3, "str!"), "unschedulable": (4, "bool!"), "taints": (5, ["Taint"]),
        "podCIDRs": (7, ["str"])},
    "Taint": {"key": (1, "str!"), "value": (2, "str!"), "effect": (3, "str!"), "timeAdded": (4, "time")},
    "NodeStatus": {"phase": (3, "str!"), "addresses": (5, ["NodeAddress"])},
    "NodeAddress": {"type": (1, "str!"), "address": (2, "str!")},
    "EndpointSlice": {"metadata": (1, "ObjectMeta!"), "endpoints": (2, ["Endpoint"]), "ports": (3, ["EndpointPort"]),
        "addressType": (4, "str!")},
    "Endpoint": {"addresses": (1, ["str"]), "conditions": (2, "EndpointConditions!"), "hostname": (3, "str"),
        "targetRef": (4, "ObjectReference"), "deprecatedTopology": (5, "map"), "nodeName": (6, "str"), "zone": (7, "str"),
        "hints": (8, "EndpointHints")},
    "EndpointConditions": {"ready": (1, "bool"), "serving": (2, "bool"), "terminating": (3, "bool")},
    "ObjectReference": {"kind": (1, "str!"), "namespace": (2, "str!"), "name": (3, "str!"), "uid": (4, "str!"), "apiVersion": (5, "str!"),
        "resourceVersion": (6, "str!"), "fieldPath": (7, "str!")},
    "EndpointHints": {"forZones": (1, ["ForName"]), "forNodes": (2, ["ForName"])},
    "ForName": {"name": (1, "str!")},
    "EndpointPort": {"name": (1, "str"), "protocol": (2, "str"), "port": (3, "int"), "appProtocol": (4, "str")},
}
EMPTY = {"str": "", "int": 0, "bool": False}


def varint(value):
    value &= (1 << 64) - 1  # negative numbers have ten bytes
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sized(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def timestamp(text):
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return varint(1 << 3) + varint(int(when.timestamp())) + varint(2 << 3) + varint(when.microsecond * 1000)


def field(number, kind, value):
    match kind:
        case "int" | "bool":
            return varint(number << 3) + varint(int(value))
        case "str":
            return sized(number, value.encode())
        case "time":
            return sized(number, timestamp(value))
        case "json":
            return sized(number, sized(1, json.dumps(value, separators=(",", ":")).encode()))
        case "map":
            return b"".join(sized(number, sized(1, key.encode()) + sized(2, value[key].encode())) for key in sorted(value))
        case "IntOrString":
            text = isinstance(value, str)
            return sized(number, varint(1 << 3) + varint(int(text)) + varint(2 << 3) + varint(0 if text else value)
                + sized(3, value.encode() if text else b""))
        case _:
            return sized(number, message(kind, value))


def message(name, value):
    """One message, as Go's generated code writes it."""
    out = []
    for key, (number, kind) in sorted(MESSAGES.get(name, {"metadata": (1, "ObjectMeta!")}).items(), key=lambda one: one[1][0]):
        given = value.get(key)
        if isinstance(kind, list):
            out += [field(number, kind[0], one) for one in given or []]
            continue
        plain = kind.rstrip("!")
        if given is not None:
            out.append(field(number, plain, given))
        elif kind.endswith("!"):  # a time or message that is not there is written as an empty one
            out.append(field(number, plain, EMPTY[plain]) if plain in EMPTY else sized(number, b""))
    return b"".join(out)


def envelope(api_version, kind, raw):
    """runtime.Unknown"""
    kinds = message("TypeMeta", {"apiVersion": api_version, "kind": kind})
    return MAGIC + sized(1, kinds) + sized(2, raw) + sized(3, b"") + sized(4, b"")


def answer(text):
    """An object or list."""
    value = json.loads(text)
    kind = value["kind"]
    if not kind.endswith("List"):
        return envelope(value["apiVersion"], kind, message(kind, value))
    items = b"".join(sized(2, message(kind.removesuffix("List"), item)) for item in value.get("items") or [])
    return envelope(value["apiVersion"], kind, sized(1, message("ListMeta", value.get("metadata") or {})) + items)


def event(text):
    """An event of a watch, in its frame."""
    value = json.loads(text)
    data = sized(1, value["type"].encode()) + sized(2, sized(1, answer(json.dumps(value["object"]))))
    return len(data).to_bytes(4, "big") + data


def items(text):
    """The items of a List of any kinds, each as an event that adds it."""
    return b"".join(event(json.dumps({"type": "ADDED", "object": item})) for item in json.loads(text)["items"])


if __name__ == "__main__":
    said = {"answer": answer, "events": lambda text: b"".join(map(event, text.splitlines())), "items": items}
    sys.stdout.buffer.write(said[sys.argv[1]](sys.stdin.buffer.read()))

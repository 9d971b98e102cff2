# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""grpc_health.py ADDRESS:PORT: a gRPC server (grpc's own, in C) with the health service.

Told by lines on stdin:  SERVICE STATUS    "-" is the server as a whole; SERVING, NOT_SERVING, ...
Says "ready" when it listens. Services it was not told of are NOT_FOUND, as the protocol wants it.
"""

import sys
from concurrent import futures

sys.path.pop(0)  # files of this folder would stand for modules that grpc looks for
import grpc  # noqa: E402
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # noqa: E402

STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
statuses = {"": "SERVING"}


def messages():
    """HealthCheckRequest and HealthCheckResponse, as health.proto has them."""
    described = descriptor_pb2.FileDescriptorProto(name="h.proto", package="grpc.health.v1",
                                                   syntax="proto3")
    request = described.message_type.add(name="HealthCheckRequest")
    request.field.add(name="service", number=1, type=9, label=1)
    response = described.message_type.add(name="HealthCheckResponse")
    enum = response.enum_type.add(name="ServingStatus")
    for number, name in enumerate(STATUSES):
        enum.value.add(name=name, number=number)
    response.field.add(name="status", number=1, type=14, label=1,
                       type_name=".grpc.health.v1.HealthCheckResponse.ServingStatus")
    pool = descriptor_pool.DescriptorPool()
    file = pool.Add(described) or pool.FindFileByName("h.proto")
    factory = message_factory.MessageFactory(pool)
    return [factory.GetPrototype(file.message_types_by_name[name])
            for name in ("HealthCheckRequest", "HealthCheckResponse")]


REQUEST, RESPONSE = messages()


def check(request, context):
    if request.service not in statuses:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return RESPONSE(status=STATUSES.index(statuses[request.service]))


def main():
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(check, REQUEST.FromString,
                                                  RESPONSE.SerializeToString)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": handler})])
    assert server.add_insecure_port(sys.argv[1])
    server.start()
    print("ready", flush=True)
    for line in sys.stdin:
        service, status = line.split()
        statuses[service.replace("-", "")] = status
        print("done", flush=True)


main()

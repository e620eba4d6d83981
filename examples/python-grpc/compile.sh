#!/bin/sh
# Makes Python modules of the contract: compile.sh FOLDER. Needs protoc and Python's protobuf.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)

# What protobuf itself brings (Timestamp, the options' base) is taken from Python's package: Debian keeps the proto files of
# these in a package of its own.
"${PYTHON:-python3}" - >"$out/well-known.binpb" <<'END'
import sys
from google.protobuf import descriptor_pb2, timestamp_pb2

files = descriptor_pb2.FileDescriptorSet()
for module in (descriptor_pb2, timestamp_pb2):
    module.DESCRIPTOR.CopyToProto(files.file.add())
sys.stdout.buffer.write(files.SerializeToString())
END

cd "$root/proto"
protoc --descriptor_set_in="$out/well-known.binpb" -I . -I google/api="$root/node_modules/protobufjs/google/api" \
  --python_out="$out" parlor/options/v1/*.proto parlor/v1/*.proto google/api/annotations.proto google/api/http.proto

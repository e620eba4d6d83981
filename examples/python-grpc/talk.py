"""Says one thing in a public room and follows it until somebody else says "bye".

Of Parlor it knows only what compile.sh makes of the proto files: methods are called by their paths.
"""

import os
import queue
import sys
import uuid

import grpc
from parlor.v1 import auth_pb2, errors_pb2, messages_pb2, realtime_pb2, rooms_pb2


def call(channel, path, request, answer, token=None):
    """One unary call; `path` is the method's name in the contract, such as "AuthService/LogIn"."""
    method = channel.unary_unary(f"/parlor.v1.{path}", type(request).SerializeToString, answer.FromString)
    return method(request, timeout=10, metadata=metadata(token))


def metadata(token):
    return [("authorization", f"Bearer {token}")] if token else []


def log_in(channel, username, password):
    request = auth_pb2.LogInRequest(username=username, password=password, device_name="talk.py")
    return call(channel, "AuthService/LogIn", request, auth_pb2.LogInResponse)


def follow(channel, token, room_id, text):
    """Opens the stream; yields the room's events from its beginning, and sends `text` once the stream is open."""
    frames = queue.Queue()
    hello = realtime_pb2.Hello(resume=[realtime_pb2.RoomCursor(room_id=room_id, seq=0)])
    frames.put(realtime_pb2.ClientFrame(hello=hello))
    connect = channel.stream_stream(
        "/parlor.v1.RealtimeService/Connect",
        realtime_pb2.ClientFrame.SerializeToString,
        realtime_pb2.ServerFrame.FromString,
    )
    # The iterator ends when None comes out of the queue, which never happens: the stream is ended by cancel.
    stream = connect(iter(frames.get, None), metadata=metadata(token))
    try:
        for frame in stream:
            if frame.HasField("welcome"):
                # The key makes it safe to send the frame again after a lost connection.
                send = messages_pb2.SendMessageRequest(room_id=room_id, text=text, client_message_id=str(uuid.uuid4()))
                frames.put(realtime_pb2.ClientFrame(id=1, send=send))
            for reply in frame.replies:
                if reply.HasField("error"):
                    raise SystemExit(f"refused: {reply.error.message}")
            # Any number of events comes in one frame.
            yield from (event for event in frame.events if event.room_id == room_id and event.seq > 0)
            if frame.HasField("goodbye"):
                raise SystemExit(f"goodbye: {realtime_pb2.Goodbye.Reason.Name(frame.goodbye.reason)}")
    finally:
        stream.cancel()


def main(address, username, room_id, text):
    with grpc.insecure_channel(address) as channel:
        session = log_in(channel, username, os.environ["PARLOR_PASSWORD"])
        token = session.tokens.access_token
        call(channel, "RoomsService/JoinRoom", rooms_pb2.JoinRoomRequest(room_id=room_id), rooms_pb2.JoinRoomResponse, token)
        for event in follow(channel, token, room_id, text):
            kind = event.WhichOneof("kind")
            if kind != "message_sent":
                print(event.seq, kind, flush=True)
                continue
            message = event.message_sent.message
            print(event.seq, message.text, flush=True)
            if message.text == "bye" and message.author_id != session.user.id:
                return


def refusal(error):
    """The contract's Error, which comes in a trailer."""
    for key, value in error.trailing_metadata() or ():
        if key == "parlor-error-bin":
            return errors_pb2.Error.FromString(value)
    return errors_pb2.Error(message=error.details())


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit("usage: PARLOR_PASSWORD=... talk.py HOST:PORT USERNAME ROOM_ID TEXT")
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        refused = refusal(error)
        raise SystemExit(f"{errors_pb2.Error.Reason.Name(refused.reason)}: {refused.message}") from None

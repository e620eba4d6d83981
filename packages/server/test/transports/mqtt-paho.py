# A device in Python: sends, hears, comes back to its session, and is refused what it may not do. The token comes on standard input.
import json
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes

host, port, version, room = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
token = sys.stdin.read()
events, send = f"parlor/v1/rooms/{room}/events", f"parlor/v1/rooms/{room}/send"


class Device:
    def __init__(self, client_id, keep=True):
        self.texts, self.changed, self.codes = [], threading.Condition(), []
        if version == "5":
            self.client = mqtt.Client(client_id, protocol=mqtt.MQTTv5)
        else:
            self.client = mqtt.Client(client_id, clean_session=not keep, protocol=mqtt.MQTTv311)
        self.client.username_pw_set("ada", token)
        self.client.on_message = lambda _client, _data, message: self.note(self.texts, self.text_of(message))
        self.client.on_subscribe = lambda _client, _data, _id, codes, *rest: self.note(self.codes, codes)
        self.ready = threading.Event()
        self.client.on_connect = lambda *_: self.ready.set()
        if version == "5":
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 3600 if keep else 0
            self.client.connect(host, port, clean_start=not keep, properties=properties)
        else:
            self.client.connect(host, port)
        self.client.loop_start()
        assert self.ready.wait(20), "no CONNACK"

    @staticmethod
    def text_of(message):
        return json.loads(message.payload).get("messageSent", {}).get("message", {}).get("text")

    def note(self, notes, note):
        with self.changed:
            notes.append(note)
            self.changed.notify_all()

    def wait(self, notes, wanted):
        with self.changed:
            assert self.changed.wait_for(lambda: any(wanted(note) for note in notes), 20), f"only {notes}"

    def subscribe(self, topic):
        self.client.subscribe(topic, qos=1)
        self.wait(self.codes, lambda _: True)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


device = Device(f"paho-{version}")
device.subscribe(events)
device.client.publish(send, "hello from paho", qos=1).wait_for_publish()
device.wait(device.texts, lambda text: text == "hello from paho")
print("sent and heard: hello from paho")
device.close()

other = Device("", keep=False)
other.client.publish(send, "while paho was away", qos=1).wait_for_publish()
other.close()

device = Device(f"paho-{version}")
device.wait(device.texts, lambda text: text == "while paho was away")
print("resumed:", *device.texts)
device.close()

device = Device("", keep=False)
device.subscribe("#")
code = device.codes[0][0]
print("refused" if (code.value == 0x8F if version == "5" else code == 128) else code)
device.close()

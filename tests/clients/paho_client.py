"""Drives paho-mqtt for a test: a line of JSON in is one thing to do, a line of JSON out is one thing that happened."""

import json
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

PATIENCE_S = 30
saying = threading.Lock()
said = threading.Condition()
acknowledged = {}


def say(event, **what):
    with saying:
        print(json.dumps({"event": event, **what}), flush=True)


def properties_of(names, packet_type):
    if not names:
        return None
    properties = Properties(packet_type)
    for name, value in names.items():
        if name == "UserProperty":
            value = [tuple(pair) for pair in value]
        elif name == "CorrelationData":
            value = value.encode()
        setattr(properties, name, value)
    return properties


def shown(properties):
    if properties is None:
        return {}
    made = properties.json()
    # As text, as it is given; paho shows it in hexadecimal.
    if "CorrelationData" in made:
        made["CorrelationData"] = properties.CorrelationData.decode("utf-8", "replace")
    return made


def remember(kind, mid, value):
    with said:
        acknowledged[kind, mid] = value
        said.notify_all()


def wait_for(kind, mid):
    with said:
        if not said.wait_for(lambda: (kind, mid) in acknowledged, PATIENCE_S):
            return {"missing": f"nothing came for {kind} {mid}"}
        return acknowledged.pop((kind, mid))


class Driver:
    def connect(self, do):
        version = do["version"]
        client = self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=do.get("client_id", ""),
            clean_session=do.get("clean", True) if version == 4 else None,
            protocol=mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311,
            transport="websockets" if do.get("websocket") else "tcp",
            reconnect_on_failure=False,
        )
        self.version = version
        if do.get("websocket"):
            client.ws_set_options(path=do.get("path", "/mqtt"))
        if do.get("user") is not None:
            client.username_pw_set(do["user"], do.get("password"))
        if do.get("ca"):
            client.tls_set(ca_certs=do["ca"])
        if do.get("will"):
            will = do["will"]
            client.will_set(will["topic"], will["payload"], will.get("qos", 0), will.get("retain", False))
        client.on_connect = self.on_connect
        client.on_disconnect = lambda c, u, f, code, p: say("closed", code=code.value, reason=str(code))
        client.on_message = self.on_message
        client.on_publish = lambda c, u, mid, code, p: remember("publish", mid, {"code": code.value, "properties": shown(p)})
        client.on_subscribe = lambda c, u, mid, codes, p: remember("subscribe", mid, {"codes": [x.value for x in codes]})
        client.on_unsubscribe = lambda c, u, mid, codes, p: remember("unsubscribe", mid, {"codes": [x.value for x in codes]})
        arguments = {}
        if version == 5:
            arguments["clean_start"] = do.get("clean", True)
            arguments["properties"] = properties_of(do.get("properties"), PacketTypes.CONNECT)
        client.connect(do["host"], do["port"], do.get("keepalive", 60), **arguments)
        client.loop_start()

    def on_connect(self, client, userdata, flags, code, properties):
        event = "refused" if code.is_failure else "connected"
        say(event, code=code.value, reason=str(code), present=flags.session_present, properties=shown(properties))

    def on_message(self, client, userdata, message):
        say(
            "message",
            topic=message.topic,
            payload=message.payload.decode("utf-8", "replace"),
            qos=message.qos,
            retain=bool(message.retain),
            properties=shown(message.properties) if self.version == 5 else {},
        )

    def publish(self, do):
        arguments = {}
        if self.version == 5:
            arguments["properties"] = properties_of(do.get("properties"), PacketTypes.PUBLISH)
        info = self.client.publish(do["topic"], do["payload"], do.get("qos", 0), do.get("retain", False), **arguments)
        say("published", **wait_for("publish", info.mid))

    def subscribe(self, do):
        if self.version == 5:
            options = SubscribeOptions(
                qos=do.get("qos", 0),
                noLocal=do.get("no_local", False),
                retainAsPublished=do.get("retain_as_published", False),
            )
            _, mid = self.client.subscribe(do["filter"], options=options)
        else:
            _, mid = self.client.subscribe(do["filter"], do.get("qos", 0))
        say("subscribed", **wait_for("subscribe", mid))

    def unsubscribe(self, do):
        _, mid = self.client.unsubscribe(do["filter"])
        say("unsubscribed", **wait_for("unsubscribe", mid))

    def disconnect(self, do):
        arguments = {}
        if self.version == 5:
            arguments["properties"] = properties_of(do.get("properties"), PacketTypes.DISCONNECT)
        self.client.disconnect(**arguments)
        self.client.loop_stop()
        say("disconnected")


def main():
    driver = Driver()
    for line in sys.stdin:
        do = json.loads(line)
        try:
            getattr(driver, do["do"])(do)
        except Exception as error:  # the test decides what an error means
            say("failed", error=f"{type(error).__name__}: {error}")


main()

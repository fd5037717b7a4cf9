"""A telephone made of pjsip, for hub/voice/tests/pjsip.rs: one call, with a session timer that it insists on, then the end.

It says `ready ADDRESS`, `answered` and `ended STATUS`, a line each; what went over the wire is in pjsip.log.
"""

import argparse
import os
import sys
import time

import pjsua2 as pj

# From the answer to the first key, and between keys, in seconds.
PAUSE_S = 0.8
# Longer than any call of a test.
LONGEST_S = 60


def say(line):
    print(line, flush=True)


class Call(pj.Call):
    answered_at = None
    ended = None

    def onCallState(self, prm):
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.answered_at = time.monotonic()
            say("answered")
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.ended = info.lastStatusCode

    def onCallMediaState(self, prm):
        # Silence of a device that is none: with nothing to send the phone would send no audio at all.
        for media in self.getInfo().media:
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                microphone = pj.Endpoint.instance().audDevManager().getCaptureDevMedia()
                microphone.startTransmit(self.getAudioMedia(media.index))

    def press(self, key, way):
        if way == "rfc4733":
            self.dialDtmf(key)
            return
        signal = pj.CallSendDtmfParam()
        signal.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
        signal.digits = key
        self.sendDtmf(signal)


class Account(pj.Account):
    def __init__(self):
        pj.Account.__init__(self)
        self.call = None

    def onIncomingCall(self, prm):
        self.call = Call(self, prm.callId)
        answer = pj.CallOpParam()
        for status in (180, 200):
            answer.statusCode = status
            self.call.answer(answer)


def start():
    """An endpoint whose callbacks run in this thread, and its transport."""
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = 5
    config.logConfig.consoleLevel = 0
    config.logConfig.msgLogging = 1
    config.logConfig.filename = "pjsip.log"
    config.medConfig.noVad = True
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port = 0
    transport.boundAddress = "127.0.0.1"
    number = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    return endpoint, number


def account_at(transport, address, media_port):
    config = pj.AccountConfig()
    config.idUri = "sip:far@" + address
    config.sipConfig.transportId = transport
    config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_REQUIRED
    config.callConfig.timerMinSESec = 90
    config.callConfig.timerSessExpiresSec = 90
    # The next free one from there on.
    config.mediaConfig.transportConfig.port = media_port
    config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    account = Account()
    account.create(config, True)
    return account


def ring(account, hub, caller):
    """Rings the hub; the carrier asserts who rings."""
    asserted = pj.SipHeader()
    asserted.hName = "P-Asserted-Identity"
    asserted.hValue = "<sip:" + caller + "@trunk.test>"
    headers = pj.SipHeaderVector()
    headers.append(asserted)
    parameters = pj.CallOpParam(True)
    parameters.opt.audioCount = 1
    parameters.opt.videoCount = 0
    parameters.txOption.headers = headers
    account.call = Call(account)
    account.call.makeCall(hub, parameters)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--media-port", type=int, required=True)
    parser.add_argument("--way", choices=["rfc4733", "info"], required=True)
    parser.add_argument("--keys", required=True)
    parser.add_argument("--rings", help="the hub's number and address; without it the phone waits for a call")
    parser.add_argument("--caller", default="+8613800008412")
    chosen = parser.parse_args()
    endpoint, transport = start()
    address = endpoint.transportGetInfo(transport).localAddress
    account = account_at(transport, address, chosen.media_port)
    say("ready " + address)
    if chosen.rings:
        ring(account, chosen.rings, chosen.caller)
    keys = list(chosen.keys)
    until = time.monotonic() + LONGEST_S
    pressed_at = None
    while time.monotonic() < until:
        endpoint.libHandleEvents(20)
        call = account.call
        if call is None:
            continue
        if call.ended is not None:
            # The answer to the BYE leaves first.
            for _ in range(10):
                endpoint.libHandleEvents(20)
            say("ended %d" % call.ended)
            return 0
        if keys and call.answered_at is not None:
            if time.monotonic() - (pressed_at or call.answered_at) >= PAUSE_S:
                call.press(keys.pop(0), chosen.way)
                pressed_at = time.monotonic()
    say("the call did not end")
    return 1


status = main()
sys.stdout.flush()
# Objects of the library are not taken down in an order: its own end crashes on some of them.
os._exit(status)

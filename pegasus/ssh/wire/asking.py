"""What a server is asked for a session and for a command in it, as messages.

Paramiko waits for each answer before it sends the next message. Where nothing but the first
answer decides what is sent, each wait is a round trip for nothing.
"""

from __future__ import annotations

from paramiko import Channel, Message
from paramiko.common import cMSG_CHANNEL_DATA, cMSG_CHANNEL_OPEN, cMSG_CHANNEL_REQUEST

from pegasus.ssh.wire.transport import NodeTransport, SessionReport

#: What a message with data has beside them, as Paramiko reckons, in bytes.
_HEAD = 64


def new_channel(transport: NodeTransport) -> tuple[Channel, SessionReport]:
    """Return a channel for a session, and what says when the server has answered.

    The report's wakeup is set then, and when the connection is lost.
    """
    with transport.lock:
        channel = Channel(transport._next_channel())
        transport._channels.put(channel.chanid, channel)
        transport.channels_seen[channel.chanid] = True
        channel._set_transport(transport)
        channel._set_window(transport.default_window_size, transport.default_max_packet_size)
        report = transport.watch(channel)
        transport.channel_events[channel.chanid] = report.wakeup
    return channel, report


def session_request(channel: Channel) -> Message:
    """Return the message that asks for the session of a new channel."""
    message = Message()
    message.add_byte(cMSG_CHANNEL_OPEN)
    message.add_string("session")
    message.add_int(channel.chanid)
    message.add_int(channel.in_window_size)
    message.add_int(channel.in_max_packet_size)
    return message


def is_refused(channel: Channel) -> bool:
    """Return whether the server gives no such session."""
    is_known = channel.transport._channels.get(channel.chanid) is channel
    return not (is_known or channel.active or channel.closed)


def command_request(channel: Channel, command: str) -> Message:
    """Return the message that asks for `command`; the report tells what the server says to it."""
    message = Message()
    message.add_byte(cMSG_CHANNEL_REQUEST)
    message.add_int(channel.remote_chanid)
    message.add_string("exec")
    message.add_boolean(True)
    message.add_string(command)
    return message


def data_right_behind(channel: Channel, data: bytes) -> Message | None:
    """Return the message with `data` that is sent behind the request for a command, if it may be.

    OpenSSH's server allows no data before there is a command, and a great many as it begins one:
    it allows them by the time at which it reads these. To wait for the permission would cost a
    round trip. Other servers are not taken to do the same: they mostly allow some from the first.
    """
    is_openssh = channel.transport.is_openssh
    with channel.lock:
        if len(data) > channel.out_max_packet_size - _HEAD:
            return None
        if len(data) > channel.out_window_size and (channel.out_window_size or not is_openssh):
            return None
        channel.out_window_size -= len(data)  # what the server is about to allow is added to it
    message = Message()
    message.add_byte(cMSG_CHANNEL_DATA)
    message.add_int(channel.remote_chanid)
    message.add_string(data)
    return message

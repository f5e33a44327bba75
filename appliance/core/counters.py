"""What is counted, in one table: status, metrics and tests read the same names."""

from collections.abc import Mapping
from types import MappingProxyType

HELP: Mapping[str, str] = MappingProxyType(
    {
        # sound
        "blocks_played": "blocks that the loudspeaker took",
        "blocks_dropped": "blocks that the gate let through and the exchange did not fetch in time",
        "downlink_missing": "blocks that link did not answer in time and that were faded or silent",
        "capture_overruns": "times that the microphone's sound was lost because it was not fetched in time",
        "playback_underruns": "times that the loudspeaker ran out of sound because it was not written in time",
        "capture_losses": "times that the microphone was unplugged, or broke while it ran",
        "capture_stuck": "times that the microphone gave no more samples, though it was there",
        "capture_dead": "times that the microphone gave the same sample for so long that it counted as dead or muted",
        "playback_losses": "times that the loudspeaker was unplugged, or broke while it ran",
        "playback_stuck": "times that the loudspeaker played nothing any more, though it was there",
        "front_end_failures": "times that a part of the audio front end failed and a simpler one took over",
        "front_end_slow": "times that the audio front end was too slow for this machine and a simpler one took over",
        "echo_fallback_start": "times that AEC3 helped out because the canceller did not know the room yet",
        "echo_fallback_jump": "times that it did because the echo's delay had changed by nobody knows how much",
        "echo_fallback_divergence": "times that it did because the canceller had lost the room",
        "echo_ducked": "blocks in which the microphone was turned down because the far end talked",
        "reference_jumps": "times that the way from what is played to what is captured became another one",
        "reference_missing": "blocks captured while it was not known what was played; the room is silent in them",
        "downlink_limited": "blocks that were turned down before they were played, as they were too loud",
        "gate_closings": "times that the gate closed",
        "gate_openings": "times that the gate opened",
        "panel_events": "edges and presses that the panel reported",
        "panel_losses": "times that the lines of the panel were lost",
        "panel_edges_lost": "edges that nobody told and that were found by reading the levels again",
        "panel_ring_failures": "times that the lights of the ring could not be reached",
        "mute_store_failures": "times that the stored mute could not be read or written",
        # exchange, both ends
        "exchange_junk": "messages on the exchange that were not ours; each closes the connection",
        "exchange_connections": "connections that link made to the exchange",
        # what link does with media
        "packets_sent": "RTP packets handed to the socket",
        "packets_received": "RTP packets of talkers taken",
        "packets_junk": "datagrams that were no packets for us",
        "packets_lost": "packets that never came",
        "packets_redundant": "lost packets whose copy in a later packet came in time",
        "packets_late": "packets that came after their turn",
        "packets_duplicate": "packets that came twice",
        "packets_reordered": "packets that came out of order and in time",
        "packets_refused": "packets that could not be deciphered or decoded",
        "frames_concealed": "blocks invented by concealment",
        "frames_recovered": "blocks recovered from redundancy in a later packet",
        "frames_dropped": "blocks thrown away to keep the delay within its cap",
        "talker_switches": "times that a slot changed its talker",
        "encoder_resets": "times that the encoder was reset because the gate closed",
        "encode_failures": "blocks that could not be encoded",
        "protection_changes": "times that reports of loss changed how what is sent is protected",
        "redundancy_junk": "packets with earlier frames (RFC 2198) that could not be read",
        "reports_junk": "RTCP packets that could not be read",
        "blocks_sent": "blocks handed to the library of an engine that encodes them",
        "blocks_received": "blocks of members that an engine's library has decoded",
        "blocks_late": "blocks that an engine's library did not take in time",
        "blocks_withheld": "blocks that the proof of mute did not let that library have",
        "packets_withheld": "RTP packets that the proof of mute did not let leave",
        "proof_violations": "blocks over -80 dBFS that were about to leave a closed gate, and checks that failed; always 0",
        # what link does in the room
        "joins": "times that the room was joined",
        "join_failures": "attempts to join that failed",
        "link_losses": "times that the room was lost",
        "presence_junk": "presence messages that were not understood",
        "library_starts": "times that the process that holds an engine's library was started",
        "library_junk": "messages of that process that were not understood",
        "edits_refused": "times that the room did not let this device be seen as it is: muted, or with its hand up",
        "updates_coalesced": "changes of members that newer ones took the place of before they were told",
        "link_moves": "times that the media connection took another way, without joining anew",
        "bridge_blocks_missed": "blocks that a bridge left out because its clock was held up for long",
        # host
        "host_joins": "members that came in",
        "host_leaves": "members that left",
        "host_refused": "requests refused for their token, room or role",
        "host_tokens_malformed": "tokens that were none",
        "host_tokens_forged": "tokens with a wrong signature",
        "host_tokens_revoked": "tokens of a key that the room does not have, or no longer has",
        "host_tokens_expired": "tokens shown after their time",
        "host_tokens_foreign": "tokens of another room",
        "host_tokens_removed": "tokens of somebody who was sent out",
        "host_challenges_forged": "challenges that we did not make, or answered with another key",
        "host_challenges_replayed": "challenges that had been answered already",
        "host_challenges_expired": "challenges answered too late",
        "host_devices_unknown": "devices that are not in the settings, or were revoked",
        "host_devices_enrolled": "devices that became known: by a one-use token, by being let in, or by their key",
        "host_enrolments_refused": "devices that showed a wrong, used or late one-use token, or could not wait to be let in",
        "host_names_refused": "requests for a token by somebody whom no trusted proxy names",
        "host_joins_limited": "joins refused because too many came from one address or identity",
        "host_tokens_limited": "requests refused because too many wrong tokens came from their address",
        "host_challenges_limited": "requests of devices refused because too many came from one address",
        "host_presence_limited": "presence sockets refused because too many were open or came from one address",
        "host_keys_revoked": "keys of rooms that were revoked",
        "host_bundles": "support bundles that devices handed in",
        "host_removed": "members that were sent out",
        "host_ended_tokens": "members whose key was revoked or whose token ended while they were in",
        "host_updates_merged": "changes of members that a slow reader was told together with later ones",
        "host_store_failures": "times that what a room remembers could not be written",
        "host_rooms_unknown": "requests for a room that is not here",
        "host_full": "requests refused because the room was full",
        "host_connections_refused": "connections refused because too many were open, in all or from one address",
        "host_connections_failed": "connections that ended before they said what they want, or whose TLS failed",
        "host_bad_requests": "requests that were malformed or too large",
        "host_replaced": "sessions replaced by a newer one of the same identity",
        "host_timeouts": "members removed because nothing came from them",
        "host_datagrams": "datagrams received on the media port",
        "host_datagrams_junk": "datagrams that were neither STUN, DTLS nor SRTP of a member",
        "host_datagrams_oversize": "datagrams larger than anything that is sent here",
        "host_stun_refused": "STUN checks with a wrong or missing key",
        "host_stun_flooded": "STUN checks dropped unread because too many came from their address",
        "host_dtls_failures": "DTLS handshakes that failed",
        "host_dtls_flooded": "DTLS datagrams dropped because too many came from one member",
        "host_dtls_endless": "DTLS handshakes given up because fragment after fragment came and no end",
        "host_offers_refused": "offers that were malformed, or had nothing that a room can take",
        "host_trickles_refused": "trickled candidates (WHIP) that were malformed or not for the session",
        "host_restarts_refused": "attempts to restart ICE, which this host answers with a new join instead",
        "host_srtp_refused": "packets that failed authentication or replay checks",
        "host_packets_in": "packets taken from talkers",
        "host_packets_skipped": "packets of talkers that had no slot",
        "host_packets_muted": "packets dropped because the sender is muted",
        "host_packets_out": "packets handed to the socket for listeners",
        "host_packets_dropped": "packets that the socket did not take",
        "host_reports": "RTCP packets of members",
        "host_slot_changes": "times that a slot changed its talker",
        "host_moves": "times that a member moved to another address",
        "host_packets_flood": "packets dropped because their sender sends too many",
        "host_packets_late": "packets of talkers that came twice or too late, or overlapped the talker before",
        "host_payloads_refused": "packets whose payload is of a type that was not agreed on, empty or too long",
        "host_redundancy_junk": "packets with earlier frames (RFC 2198) that could not be read",
        "host_sequence_jumps": "times that a talker's sequence numbers jumped by more than a network loses",
        "host_timestamp_jumps": "times that a talker's timestamps jumped, or its packets were held up for over a second",
        "host_frames_recovered": "frames lost on the way up and forwarded from a later packet",
        "host_reports_junk": "RTCP packets that could not be read",
        "host_claims_belied": "times that a member was quieter than it claimed, and lost its slot",
        "host_mix_late": "frames of the mix that were left out because its thread came too late",
        "host_levels_measured": "packets without a level, or with one that is not believed, that were decoded for it",
        "host_levels_unmeasured": "packets without a level that counted as silence because too many are measured",
        "host_presence_junk": "presence connections closed for junk or size",
        "host_presence_flooded": "presence connections closed because too much came on them",
        "host_hellos_missing": "presence connections closed because nobody said hello in time",
        "host_requests_refused": "requests of members that they may not make, or not now",
        "host_knocks_ignored": "knocks right after another one of the same member",
        "host_messages_dropped": "presence messages dropped because a member reads too slowly",
    }
)
"""Every counter there is, with what it counts."""


ALWAYS_SHOWN = frozenset({"proof_violations"})
"""Shown even at 0: that nothing leaked is what one wants to read."""


class Counters:
    """Numbers that only grow, by declared names.

    One instance belongs to one thread: adding is a read and a write. :func:`total` brings several together.
    """

    def __init__(self) -> None:
        self._values = dict.fromkeys(HELP, 0)

    def add(self, name: str, n: int = 1) -> None:
        """Count ``n`` more.

        :raises KeyError: no such counter is declared.
        :raises ValueError: ``n`` is negative.
        """
        if n < 0:
            raise ValueError(f"{name} can only grow")
        self._values[name] += n

    def get(self, name: str) -> int:
        """The count so far.

        :raises KeyError: no such counter is declared.
        """
        return self._values[name]

    def snapshot(self) -> dict[str, int]:
        """All that have counted something, by name, plus those whose 0 is the message."""
        return {name: n for name, n in self._values.items() if n or name in ALWAYS_SHOWN}


def total(*snapshots: Mapping[str, int]) -> dict[str, int]:
    """The sum of several snapshots, by name."""
    names = dict.fromkeys(name for snapshot in snapshots for name in snapshot)
    return {name: sum(snapshot.get(name, 0) for snapshot in snapshots) for name in names}

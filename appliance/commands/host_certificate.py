"""``kontor host certificate``: https by an authority of one's own, where the server has no public name."""

import argparse
import contextlib
import datetime as dt
import io
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from appliance.commands import Subparsers
from appliance.commands.part import add_config, load_settings
from appliance.core.exits import Exit
from appliance.settings import Settings

_UNSPECIFIED = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  # told apart from real addresses, not bound
_ALWAYS = ("localhost", "127.0.0.1")


def register_certificate(actions: Subparsers) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "certificate", help="https by an authority of one's own: make, renew, show how to install"
    )
    add_config(parser, inherited=True)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="names and addresses that the server is reached by; left out: as before, or those of the settings",
    )
    parser.add_argument(
        "--new-authority",
        action="store_true",
        help="also make the authority anew: every computer has to install it again",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Make or renew, and tell what to do with it."""
    from appliance.app.places import state_of
    from appliance.app.process import NotAllowed, make_folders
    from appliance.host.certificate import CertificateError

    settings = load_settings(given.config, ())
    if settings is None:
        return Exit.CONFIGURATION
    folder = state_of(settings, "host") / "authority"
    try:
        make_folders(settings.device.state_dir, folder.parent, folder)
        print(_made(settings, folder, given.names, anew=given.new_authority))
    except (NotAllowed, CertificateError) as error:
        print(f"kontor host certificate: {error}", file=sys.stderr)
        return Exit.CONFIGURATION
    except OSError as error:
        print(f"kontor host certificate: {folder}: {error.strerror}", file=sys.stderr)
        return Exit.CONFIGURATION
    return Exit.OK


def _made(settings: Settings, folder: Path, names: list[str], *, anew: bool) -> str:
    """Make what is missing, renew the rest; gives the text that tells of it."""
    from appliance.host import authority

    now = dt.datetime.now(dt.UTC)
    wanted = names or authority.names_of(folder) or own_names(settings)
    general = authority.general_names([*dict.fromkeys([*wanted, *_ALWAYS])])
    known = None if anew else authority.load(folder)
    own = known or authority.make(general, now)
    if known is None:
        authority.store(folder, own)
    certificate = authority.issue(folder, own, general, now)
    page = f"http://{_reached(str(general[0].value))}:{settings.host.port}/certificate"
    digits = own.fingerprint
    return "\n".join(
        [
            f"{'A new authority' if known is None else 'The authority'} in {folder} signed for "
            + ", ".join(str(name.value) for name in general)
            + f", until {certificate.not_valid_after_utc.date()}. A running host renews it by itself.",
            "",
            "Its fingerprint (SHA-256), to compare wherever it is installed:",
            f"  {digits[:47]}",
            f"  {digits[48:]}",
            "",
            *_settings_lines(settings, folder),
            f"Each computer installs the authority once; how, tells {page}",
            *_code(page),
        ]
    )


def _settings_lines(settings: Settings, folder: Path) -> list[str]:
    """What is still missing in the settings, if anything is."""
    from appliance.host import authority

    chain, key = folder / authority.CHAIN, folder / authority.KEY
    tls = settings.host.tls
    if tls.certificate == chain and tls.key is not None and tls.key.path == key:
        return []
    return ["In the settings of the server:", "[host.tls]", f'certificate = "{chain}"', f'key = "{key}"', ""]


def own_names(settings: Settings) -> list[str]:
    """By what this server is reached, as far as the settings and the machine tell."""
    host = settings.host
    names = [urlsplit(host.url).hostname or "", host.public_address]
    if host.listen in _UNSPECIFIED:
        machine = socket.gethostname().lower()
        names += [_outward_address(), machine, f"{machine}.local" if "." not in machine else ""]
    else:
        names.append(host.listen)
    return [name for name in dict.fromkeys(names) if name]


def _outward_address() -> str:
    """The address of this machine on its way to others; "" when it has none. Nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # TEST-NET-1: a route is looked up, and that is all
        return str(probe.getsockname()[0])
    return ""


def _reached(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _code(page: str) -> list[str]:
    """The address as a QR code, where somebody sees it."""
    if not sys.stdout.isatty():
        return []
    import segno

    out = io.StringIO()
    segno.make(page, micro=False).terminal(out, compact=True)
    text = out.getvalue()
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return []
    return [text]

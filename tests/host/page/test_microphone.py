"""The microphone that is not as it should be: unplugged, denied, not yet granted, taken by another program."""

import asyncio

from tests.host.page.visits import Visit, visiting

MUTED = {"type": "muted", "muted": True}

DEVICES = """
window.plugged = ["default"]; window.asked = 0; window.refusal = "";
const media = navigator.mediaDevices;
const permission = Object.assign(new EventTarget(), { state: "prompt", onchange: null });
navigator.permissions.query = async () => permission;
window.permit = (state) => { permission.state = state; permission.onchange?.(); };
media.getUserMedia = async (constraints) => {
  window.asked += 1;
  if (window.asks) await new Promise((answered) => window.answer = answered);
  if (window.refusal) throw new DOMException("", window.refusal);
  const wanted = constraints.audio.deviceId?.exact;
  const id = wanted ? plugged.find((one) => one === wanted) : plugged[0];
  if (!id) throw new DOMException("", wanted ? "OverconstrainedError" : "NotFoundError");
  const context = new AudioContext(), tone = new OscillatorNode(context), out = new MediaStreamAudioDestinationNode(context);
  tone.connect(out); tone.start();
  const [track] = out.stream.getAudioTracks();
  track.getSettings = () => ({ deviceId: id });
  Object.defineProperty(track, "label", { value: `Mic ${id}` });
  window.current = track;
  return out.stream;
};
media.enumerateDevices = async () => plugged.map((id) => ({ kind: "audioinput", deviceId: id, label: `Mic ${id}` }));
window.plug = (...ids) => {
  window.plugged = ids;
  if (window.current && !ids.includes(current.getSettings().deviceId)) {
    current.stop();
    current.dispatchEvent(new Event("ended"));
  }
  media.dispatchEvent(new Event("devicechange"));
};
"""
"""Devices that a test plugs and unplugs; into each a tone is played."""

CHOSEN = 'localStorage.setItem("kontor", JSON.stringify({ microphone: "headset" }));'


async def live(visit: Visit) -> None:
    await visit.own.click()
    await visit.own_is("live")
    assert await visit.packets_within(0.4) > 5


@visiting(script=DEVICES)
async def test_unplugged_while_live_it_is_hollow_at_once_and_comes_back_muted(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    at_once = await visit.page.evaluate("""() => {
        plug();
        return [document.getElementById("dock").dataset.own, document.getElementById("dock").dataset.look];
    }""")
    assert at_once == ["none", "hollow"], "in the same turn, before anything is asked for anew"
    await visit.own_is("none")
    assert await visit.text("#own-first") == "No microphone found"
    await visit.host.heard(MUTED)
    assert visit.host.received[-1] == MUTED
    await asyncio.sleep(0.2)
    assert await visit.packets_within(0.5) == 0
    await visit.page.evaluate("plug('default')")
    await visit.own_is("muted")
    await visit.wait_text(".toast > span", "Microphone: Mic default. Muted.")
    assert await visit.packets_within(0.6) == 0, "it comes back muted"
    await live(visit)


@visiting(script=DEVICES + "plugged.push('headset');" + CHOSEN)
async def test_without_the_chosen_one_another_takes_over_muted_and_gives_it_back(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await live(visit)
    assert await visit.page.evaluate("current.label") == "Mic headset"
    await visit.page.evaluate("plug('default')")
    await visit.wait_text(".toast > span", "Microphone: Mic default. Muted.")
    await visit.own_is("muted")
    assert await visit.packets_within(0.6) == 0
    await live(visit)
    await visit.page.evaluate("plug('default', 'headset')")
    await asyncio.sleep(0.3)
    await visit.own_is("live")
    assert await visit.page.evaluate("current.label") == "Mic default", "nobody who talks is moved to another one"
    await visit.own.click()
    await visit.own_is("muted")
    await visit.page.evaluate("plug('default', 'headset')")
    await visit.wait_text(".toast > span", "Microphone: Mic headset. Muted.")
    await live(visit)


@visiting(script=DEVICES + "window.asks = true;")
async def test_while_the_browser_asks_one_is_in_and_listens(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("asking")
    assert await visit.text("#own-first") == "Allow the microphone"
    assert await visit.text("#own-second") == "The browser asks for it"
    await visit.page.wait_for_function("() => !document.getElementById('slot-0').paused")
    await visit.wait_text("#count", "6 here")
    await visit.page.wait_for_timeout(650)
    await visit.own.click(force=True)
    await visit.page.keyboard.press("m")
    await visit.own_is("asking")
    assert await visit.page.evaluate("asked") == 1, "it is asked once"
    assert await visit.packets_within(0.4) == 0
    await visit.page.evaluate("answer()")
    await visit.own_is("muted")
    assert await visit.packets_within(0.4) == 0, "a grant opens nothing"
    await live(visit)


@visiting(script=DEVICES + "window.asks = true;")
async def test_denied_it_says_so_and_a_later_permission_is_taken_by_itself(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("asking")
    await visit.page.evaluate("refusal = 'NotAllowedError', asks = false, answer()")
    await visit.own_is("blocked")
    assert await visit.text("#own-first") == "Microphone is blocked"
    assert await visit.text("#own-second") == "Allow it in the browser"
    await visit.page.evaluate("refusal = '', permit('granted')")
    await visit.own_is("muted")
    assert await visit.packets_within(0.7) == 0, "and longer than a double click's second half is ignored"
    await live(visit)


@visiting(script=DEVICES + "window.asks = true;")
async def test_who_leaves_while_the_browser_asks_gets_no_microphone(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("asking")
    await visit.page.locator("#leave").click()
    await visit.own_is("join")
    await visit.page.evaluate("answer()")
    await visit.page.wait_for_function("() => window.current?.readyState === 'ended'")
    await visit.own_is("join")


@visiting(script=DEVICES + "window.refusal = 'NotReadableError';")
async def test_one_that_another_program_has_is_called_so(visit: Visit) -> None:
    await visit.open()
    await visit.own.click()
    await visit.own_is("busy")
    assert await visit.text("#own-first") == "Microphone is in use"
    await visit.page.wait_for_timeout(650)
    await visit.page.evaluate("refusal = ''")
    await visit.own.click()
    await visit.own_is("muted")
    assert await visit.packets_within(0.4) == 0


@visiting(script=DEVICES)
async def test_unplugged_while_it_opens_it_never_shows_live(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    await visit.page.evaluate("""() => {
        const real = RTCRtpSender.prototype.replaceTrack;
        RTCRtpSender.prototype.replaceTrack = async function (track) {
            if (track) await new Promise((go) => window.go = go);
            return real.call(this, track);
        };
    }""")
    await visit.own.click()
    await visit.page.wait_for_function("() => window.go")
    await visit.page.evaluate("plug(), go()")
    await visit.own_is("none")
    await asyncio.sleep(0.4)
    await visit.own_is("none")
    assert "live" not in await visit.page.evaluate("seen.own")
    assert await visit.packets_within(0.4) == 0


@visiting(script=DEVICES, language="de", width=360)
async def test_german_words_fit_into_the_key_of_a_phone(visit: Visit) -> None:
    await visit.open()
    await visit.join()
    cut = """() => [...document.querySelectorAll("#own-first, #own-second")].filter((n) => {
        const key = document.getElementById("own").getBoundingClientRect(), text = document.createRange();
        const meter = document.querySelector("#own .meter").getBoundingClientRect();
        text.selectNodeContents(n);
        const box = text.getBoundingClientRect();
        const bottom = meter.height ? meter.top : key.bottom - 3;
        return n.scrollWidth > n.clientWidth || box.right > key.right - 4 || box.bottom > bottom || box.top < key.top + 2;
    }).map((n) => n.textContent)"""
    assert await visit.page.evaluate(cut) == []
    box = await visit.own.bounding_box()
    assert box is not None
    await visit.page.mouse.move(box["x"] + 40, box["y"] + 30)
    await visit.page.mouse.down()
    await visit.own_is("held")
    assert await visit.text("#own-second") == "Loslassen macht stumm"
    assert await visit.page.evaluate(cut) == []
    assert await visit.own.bounding_box() == box, "the key stays under the finger"
    await visit.page.mouse.up()
    await visit.own_is("muted")
    for words in ("adminMuted", "asked", "none", "blocked", "busy", "asking", "unable", "guest"):
        await visit.page.evaluate(
            """async (state) => {
                const { OwnKey } = await import("/page/ownkey.js");
                new OwnKey().show(state);
            }""",
            words,
        )
        assert await visit.page.evaluate(cut) == [], words

#!/usr/bin/env python3
"""The HTML pages in a real browser: Chromium without a window, spoken to over a pipe (no port is opened).

For each page (reports of one run, several, a front, hostile ones, 200; matrices; explorations), at phone and desktop width, in light and dark, and printed: no
console message, nothing fetched, no sideways scrolling of the page, no text on a ground of too little contrast, no
two labels of a chart on top of each other, every table with headings, every chart with a name.

    test_report_browser.py [FOLDER]     FOLDER: where the screenshots go (default: they are thrown away)

Skipped (77) where there is no Chromium; Debian and Ubuntu: apt-get install chromium.
"""
import base64
import copy
import hashlib
import json
import os
import select
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GOLDEN = os.path.join(ROOT, "tests", "golden")
PAGES = os.path.join(GOLDEN, "report", "pages")
# Pages that are as their unit tests make them.
MADE = {"matrix": "matrix/machines", "matrix-many": "matrix/many", "hostile-matrix": "matrix/hostile",
        "explore": "explore/front", "hostile-explore": "explore/hostile"}
PREFIX = os.environ.get("ASSAY_PREFIX") or os.path.join(ROOT, "build", "release")
PHONE, DESKTOP, PAPER = (360, 780), (1280, 900), (760, 1000)
WAYS = (("screen", "light", PHONE), ("screen", "dark", DESKTOP), ("screen", "dark", PHONE),
        ("screen", "light", DESKTOP), ("print", "light", PAPER), ("print", "dark", PAPER))

# What a reader would complain of, found by the page's own geometry and colours.
LOOK = r"""
(() => {
  const faults = [], doc = document.documentElement;
  if (doc.scrollWidth > doc.clientWidth) faults.push(`the page is ${doc.scrollWidth} wide in ${doc.clientWidth}`);
  const rgb = c => (c.match(/[\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = rgb(c).slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 :
                       Math.pow((v + .055) / 1.055, 2.4)); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
                        if (rgb(c)[3] !== 0) return c; } return 'rgb(255,255,255)'; };
  const seen = new Set();
  for (const e of document.querySelectorAll('body *')) {
    if (!Array.from(e.childNodes).some(n => n.nodeType === 3 && n.data.trim())) continue;
    if (['TITLE', 'DESC', 'title', 'desc', 'STYLE'].includes(e.tagName)) continue;
    const style = getComputedStyle(e), ink = e.tagName === 'text' ? style.fill : style.color;
    const a = light(ink), b = light(ground(e)), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5 && !seen.has(ink)) { seen.add(ink); faults.push(`contrast ${ratio.toFixed(2)}: ${e.textContent.slice(0, 40)}`); }
  }
  for (const t of document.querySelectorAll('table')) {
    if (!t.querySelector('thead th[scope=col]')) faults.push('a table without headings');
    const shown = r => r ? Array.from(r.cells).filter(c => getComputedStyle(c).display !== 'none').length : 0;
    if (getComputedStyle(t).display === 'table' && shown(t.tHead.rows[0]) !== shown(t.tBodies[0].rows[0]))
      faults.push(`headings do not fit their columns: ${t.tHead.textContent}`);
  }
  for (const s of document.querySelectorAll('svg')) {
    if (s.getAttribute('aria-hidden') === 'true') continue;
    const name = (s.getAttribute('aria-labelledby') || '').split(' ').map(i => document.getElementById(i));
    if (!['img', 'group'].includes(s.getAttribute('role')) || !name.length || name.some(n => !n || !n.textContent)) faults.push('a chart without a name');
    const frame = s.getBoundingClientRect(), boxes = Array.from(s.querySelectorAll('text')).map(t => [t, t.getBoundingClientRect()]);
    for (const [t, r] of boxes) {
      if (r.left < frame.left - 1 || r.right > frame.right + 1 || r.top < frame.top - 1 || r.bottom > frame.bottom + 1)
        faults.push(`a label leaves its chart: ${t.textContent}`);
      if (r.height < 10) faults.push(`a label of ${r.height.toFixed(1)} px: ${t.textContent}`);
    }
    for (let i = 0; i < boxes.length; i++) for (let k = 0; k < i; k++) {
      const [p, q] = [boxes[i][1], boxes[k][1]];
      if (p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 4 && q.top < p.bottom - 4)
        faults.push(`labels overlap: ${boxes[i][0].textContent} / ${boxes[k][0].textContent}`);
    }
  }
  const ids = Array.from(document.querySelectorAll('[id]')).map(e => e.id);
  if (new Set(ids).size !== ids.length) faults.push('an id is there twice');
  for (const a of document.querySelectorAll('a[href]'))
    if (!a.getAttribute('href').startsWith('#') || !document.getElementById(a.getAttribute('href').slice(1)))
      faults.push(`a link to nowhere: ${a.getAttribute('href')}`);
  if (document.querySelector('script, iframe, object, embed, img, [onload], [onerror]')) faults.push('something active');
  return Array.from(new Set(faults)).slice(0, 20);
})()
"""


class Browser:
    """Chromium's debugging protocol: JSON, ended by a zero byte, over file descriptors 3 and 4."""

    def __init__(self, program, profile):
        to_read, self.to_write = os.pipe()
        self.from_read, from_write = os.pipe()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", 'exec 8<&%d 9>&%d; exec 3<&8 4>&9; exec "$@"' % (to_read, from_write), "sh", program,
             "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--user-data-dir=" + profile,
             "about:blank"],
            pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=profile, DBUS_SESSION_BUS_ADDRESS="/dev/null"))
        os.close(to_read)
        os.close(from_write)
        self.number, self.session, self.rest, self.events = 0, None, b"", []

    def receive(self):
        while b"\0" not in self.rest:
            if not select.select([self.from_read], [], [], 240)[0]:
                raise EOFError("the browser does not answer")
            more = os.read(self.from_read, 1 << 20)
            if not more:
                raise EOFError("the browser ended")
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError("%s: %s" % (method, answer["error"]))
                return answer["result"]
            self.events.append(answer)

    def open_tab(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def show(self, path):
        """Opens a file; returns what the console said and what was asked of the network."""
        self.events = []
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.receive())
        said = [json.dumps(e["params"])[:400] for e in self.events
                if e.get("method") in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]
        asked = [e["params"]["request"]["url"][:80] for e in self.events
                 if e.get("method") == "Network.requestWillBeSent"]
        return said, [url for url in asked if not url.startswith(("file://", "data:,"))] + asked[2:]

    def media(self, kind, scheme):
        self.call("Emulation.setEmulatedMedia", media=kind,
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 500)

    def value(self, script):
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"]["value"]

    def picture(self, path, tall):
        height = min(self.value("document.documentElement.scrollHeight"), tall)
        width = self.value("document.documentElement.clientWidth")
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                         clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def end(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (EOFError, OSError, RuntimeError):
            pass
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def latencies(count, seed, offline):
    """A run that is slow at first, with a slow sample now and then."""
    x, out, time = seed * 2654435761 + 1, [], 0
    for i in range(count):
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        ns = 4000000 + (x >> 40) % 4000000 + (3000000 if i < count // 20 else 0)
        ns += (x >> 20) % 14000000 if (x >> 33) % 97 == 0 else 0
        time += ns // 2
        out.append(time if offline else ns)
    return struct.pack("<%dq" % count, *out)


def write_store(folder, records):
    """A folder a record, with the latencies that it names; returns the folders."""
    places = []
    for k, record in enumerate(records):
        place = os.path.join(folder, "%03d" % k)
        os.makedirs(place)
        record = copy.deepcopy(record)
        named = isinstance(record.get("files"), dict) and record["files"].get("latency.bin")
        if named:
            data = latencies(named["bytes"] // 8, k + 1, record["scenario"] == "Offline")
            named["sha256"] = hashlib.sha256(data).hexdigest()
            with open(os.path.join(place, "latency.bin"), "wb") as f:
                f.write(data)
        record["schema"] = "assay.record/1"
        with open(os.path.join(place, "record.json"), "w", encoding="utf-8") as f:
            json.dump(record, f)
        places.append(place)
    return places


def read(name):
    with open(os.path.join(PAGES, name + ".json"), encoding="utf-8") as f:
        return json.load(f)


def many(count):
    base, out = read("several")[:4], []
    for k in range(count):
        record = copy.deepcopy(base[k % 4])
        record["id"] = "%016x" % (k + 1)
        record["performance"]["value"] *= 1 + (k * 37 % 100) / 80
        record["model"]["name"] += "-%d" % (k // 20)
        out.append(record)
    return out


def make_pages(folder):
    pages = {}
    for name, records in (("one", read("one")), ("several", read("several")), ("front", read("front")), ("hostile", read("hostile")),
                          ("many", many(200))):
        places = write_store(os.path.join(folder, name), records)
        pages[name] = os.path.join(folder, name + ".html")
        subprocess.run([os.path.join(PREFIX, "bin", "assay"), "report", "-o", pages[name]] + places, check=True)
    pages.update((name, os.path.join(GOLDEN, path + ".html")) for name, path in MADE.items())
    return pages


def look_at(browser, name, path, pictures):
    said, asked = browser.show(path)
    faults = ["console: " + s for s in said] + ["asked for " + a for a in asked]
    tall = 2600 if name == "many" else 12000
    for kind, scheme, (width, height) in WAYS[:2] if name == "many" else WAYS:
        browser.size(width, height)
        browser.media(kind, scheme)
        where = "%s-%s-%s-%d" % (name, kind, scheme, width)
        found = browser.value(LOOK)
        if name.startswith("hostile") and kind == "print":  # a page as wide as its widest word is no harm on paper
            found = [f for f in found if not f.startswith("the page is")]
        faults += ["%s: %s" % (where, f) for f in found]
        browser.picture(os.path.join(pictures, where + ".png"), tall)
    if name == "many":
        return faults
    browser.media("", "light")
    pdf = browser.call("Page.printToPDF", printBackground=False)["data"]
    with open(os.path.join(pictures, name + ".pdf"), "wb") as f:
        f.write(base64.b64decode(pdf))
    return faults


def main():
    program = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
    if not program:
        print("skipped: there is no Chromium here (Debian and Ubuntu: apt-get install chromium)")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="assay-browser-") as folder:
        pictures = sys.argv[1] if len(sys.argv) > 1 else os.path.join(folder, "pictures")
        os.makedirs(pictures, exist_ok=True)
        pages = make_pages(folder)
        browser = Browser(program, os.path.join(folder, "profile"))
        faults = []
        try:
            browser.open_tab()
            for name, path in pages.items():
                faults += ["%s: %s" % (name, f) for f in look_at(browser, name, path, pictures)]
        finally:
            browser.end()
        size = os.path.getsize(pages["many"])
        if size >= 2000000:
            faults.append("200 records are %d bytes" % size)
    print("\n".join(faults) or "%d pages are fine in %s" % (len(pages), os.path.basename(program)))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

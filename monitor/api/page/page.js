// Keeps the board fresh: fetches it again on every change the server announces, and every few seconds for the ages.
const board = document.getElementById("board");
const link = document.getElementById("link");
let pending = false;
let again = false;
let last = Date.now();

const opened = () => new Set([...board.querySelectorAll("details[open] > summary")].map((s) => s.textContent));

async function refresh() {
  if (pending) { again = true; return; }
  pending = true;
  try {
    const answer = await fetch("/board", { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    if (text !== board.dataset.shown) {
      const keep = opened();
      board.innerHTML = text; // escaped by the server, and the policy allows no inline script
      board.dataset.shown = text;
      for (const summary of board.querySelectorAll("details > summary")) summary.parentElement.open = keep.has(summary.textContent);
    }
    last = Date.now();
    say("live", "Live");
  } catch {
    say("lost", `Not connected: this is from ${Math.round((Date.now() - last) / 1000)} s ago. Do not trust it.`);
  } finally {
    pending = false;
    if (again) { again = false; refresh(); }
  }
}

function say(kind, text) {
  if (link.textContent !== text) link.textContent = text;
  link.className = `link ${kind}`;
  board.classList.toggle("stale", kind === "lost");
}

const stream = new EventSource("/v1/events");
stream.addEventListener("message", refresh);
setInterval(refresh, 3000);

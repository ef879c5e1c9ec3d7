// Keeps the board fresh: fetches it again on every change the server announces, and every few seconds for the ages.
const board = document.getElementById("board");
const link = document.getElementById("link");
const news = document.getElementById("news");
const EVERY = 3000, WITHIN = 5000;
let pending = false;
let again = false;
let last = Date.now();

// Makes the old tree say what the new one says, touching only what differs: focus, selection and what is unfolded stay.
function become(old, now) {
  if (old.isEqualNode(now)) return;
  if (old.nodeName !== now.nodeName || old.id !== now.id) { old.replaceWith(now.cloneNode(true)); return; }
  if (old.nodeType !== Node.ELEMENT_NODE) { old.data = now.data; return; }
  const kept = (name) => name === "open" && old.localName === "details"; // the reader's own choice
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name) && !kept(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value && !kept(name)) old.setAttribute(name, value);
  }
  fill(old, now);
}

function fill(old, now) {
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  const wanted = new Set([...now.children].map((child) => child.id).filter(Boolean));
  let at = old.firstChild;
  for (const child of now.childNodes) {
    while (at && at.id && !wanted.has(at.id)) { const gone = at; at = at.nextSibling; gone.remove(); }
    if (child.id && named.has(child.id)) {
      const same = named.get(child.id);
      if (same === at) at = at.nextSibling; else old.insertBefore(same, at);
      become(same, child);
    } else if (at && !at.id && !child.id) {
      const same = at;
      at = at.nextSibling;
      become(same, child);
    } else {
      old.insertBefore(child.cloneNode(true), at);
    }
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

async function refresh() {
  if (pending) { again = true; return; }
  pending = true;
  try {
    const answer = await fetch(board.dataset.source, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(WITHIN) });
    if (answer.status === 404) { say("lost", "Too old to be kept here; `seawall explain` finds it in the journal."); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    const made = document.createElement("template");
    made.innerHTML = await answer.text(); // escaped by the server, and the policy allows no inline script
    fill(board, made.content);
    last = Date.now();
    say("live", "Live");
    tell();
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
  if (kind === "lost") document.title = "Not connected · Seawall";
}

// The answer, in the window's title and to whoever listens instead of looking: once a change, not once a refresh.
function tell() {
  const line = board.querySelector(".headline, .whole h2");
  const text = line ? line.textContent.trim() : "";
  const title = `${text} · Seawall`;
  if (document.title === title) return;
  if (document.title !== "Seawall") news.textContent = text;
  document.title = title;
}

tell();
const stream = new EventSource("/board/events");
stream.addEventListener("message", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
window.addEventListener("pageshow", (event) => { if (event.persisted) refresh(); }); // back from the browser's own keeping
document.addEventListener("seawall:refresh", refresh);
setInterval(refresh, EVERY);

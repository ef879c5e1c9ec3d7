// Orders from the page: the token lives in this tab's memory only, and every order needs a reason and the name typed out.
const $ = (id) => document.getElementById(id);
const dialog = $("order"), form = $("order-form"), said = $("order-said"), done = $("done"), list = $("approvals"), token = $("token");
const TOLD = {
  pause: "Readers are told not to use it until somebody resumes it.",
  resume: "Every hold is released, what detectors hold too.",
  override: "Detectors cannot pause it for this long; what a person ordered stands.",
  acknowledge: "Others see that somebody looks into it. No flag changes.",
  approve: "You are the second person: it is carried out at once.",
};
let wanted = null;
token.value = "";
document.body.classList.add("acting");

function open(button) {
  wanted = { ...button.dataset, key: [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("") };
  form.reset();
  $("order-title").textContent = $("order-go").textContent = button.getAttribute("aria-label");
  $("order-told").textContent = TOLD[wanted.order];
  $("order-name").textContent = wanted.type;
  said.textContent = "";
  for (const line of form.querySelectorAll("[data-only]")) line.hidden = !line.dataset.only.split(" ").includes(wanted.order);
  dialog.showModal();
}

function request() {
  const { order, revision, key } = wanted, target = encodeURIComponent(wanted.for), reason = form.reason.value.trim();
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token.value.trim()}`, "Idempotency-Key": key };
  if (order === "approve") return [`/v1/approvals/${target}`, headers, {}];
  if (order === "acknowledge") return [`/v1/incidents/${target}/acknowledge`, headers, { note: reason }];
  if (order === "pause") {
    const review = Number(form.review.value) * 60;
    return [`/v1/integrations/${target}/pause`, headers, { reason, level: form.level.value, ...(review ? { ttl: review } : {}) }];
  }
  headers["If-Match"] = `"${revision}"`;
  const body = { reason, ...(form.glass.checked ? { break_glass: true } : {}) };
  if (order === "override") body.ttl = Number(form.minutes.value) * 60;
  return [`/v1/integrations/${target}/${order}`, headers, body];
}

async function send() {
  const [path, headers, body] = request();
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), credentials: "omit", signal: AbortSignal.timeout(15000) });
  } catch {
    return "No answer: it is not known whether the order was taken. Look at the board before you try again.";
  }
  const told = await answer.json().catch(() => ({ title: `${answer.status} ${answer.statusText}` }));
  if (!answer.ok) return told.detail ? `${told.title}: ${told.detail}` : told.title;
  done.textContent = answer.status === 202
    ? `Asked for; a second person must approve ${told.approval} until ${new Date(told.expires_at * 1000).toLocaleTimeString()}.`
    : told.incident ? `Taken up by ${told.by}.`
    : told.integrations ? `Done: ${told.integrations.map((one) => `${one.integration} is at ${one.state}`).join(", ")}.`
    : `Done: ${told.integration} is at ${told.state}, revision ${told.revision}${told.pending ? ", not on disk yet" : ""}.`;
  return "";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.typed.value.trim() !== wanted.type) { said.textContent = `Nothing was sent: to confirm, type ${wanted.type}.`; return; }
  if (wanted.order !== "approve" && !form.reason.value.trim()) { said.textContent = "Nothing was sent: give a reason."; return; }
  if (!token.value.trim()) { said.textContent = "Nothing was sent: there is no token in the field under Orders."; return; }
  $("order-go").disabled = true;
  said.textContent = "";
  const refused = await send();
  $("order-go").disabled = false;
  if (refused) { said.textContent = refused; return; }
  dialog.close();
  document.dispatchEvent(new Event("seawall:refresh"));
  look();
});
$("order-leave").addEventListener("click", () => dialog.close());
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-order]");
  if (button) open(button);
});

function line(one) {
  const row = document.createElement("li"), button = document.createElement("button");
  row.append(`${one.action} ${one.integration}, asked by ${one.by}: ${one.reason} `, button);
  Object.assign(button, { type: "button", textContent: "Approve…" });
  Object.assign(button.dataset, { order: "approve", for: one.approval, type: one.integration });
  button.setAttribute("aria-label", `Approve ${one.action} of ${one.integration}`);
  return row;
}

function note(text) {
  const row = document.createElement("li");
  row.className = "quiet";
  row.textContent = text;
  list.replaceChildren(row);
}

// What waits for a second person; asked for only with a token.
async function look() {
  if (!token.value.trim()) return;
  try {
    const answer = await fetch("/v1/approvals", { headers: { Authorization: `Bearer ${token.value.trim()}` }, credentials: "omit" });
    const told = await answer.json();
    if (!answer.ok) note(`${told.title}: ${told.detail}`);
    else if (told.approvals.length) list.replaceChildren(...told.approvals.map(line));
    else note("Nothing waits.");
  } catch {
    note("No answer.");
  }
}
token.addEventListener("change", look);
setInterval(look, 15000);

// Draws each chain's fan of fees: what the base fee was, and the median and intervals of what it will be.
const tables = document.getElementById("fees");
const AHEAD = 50;
const charts = new Map();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const digits = (fee) => (fee == null ? "" : String(Number(fee.toPrecision(4))));

// Columns for uPlot: blocks from now (0 is the newest), the past fee, then median and edges from the next block on.
function columns(facts) {
  const past = facts.recent.length;
  const rows = facts.recent.map((fee, at) => [at - past + 1, fee, null, null, null, null, null]);
  const now = rows.at(-1);
  for (let at = 2; at < 7; at++) now[at] = now[1];
  for (const [blocks, fan] of Object.entries(facts.ahead)) {
    if (Number(blocks) <= AHEAD) rows.push([Number(blocks), null, fan.point, fan.q025, fan.q975, fan.q10, fan.q90]);
  }
  rows.sort((one, other) => one[0] - other[0]);
  return rows[0].map((_, column) => rows.map((row) => row[column]));
}

function options(width) {
  const ink = colour("--ink"), line = colour("--line"), sea = colour("--sea");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line } };
  const edge = { stroke: "transparent", points: { show: false }, spanGaps: true };
  return {
    width, height: 240, legend: { show: false }, cursor: { drag: { x: false, y: false } },
    scales: { x: { time: false } },
    axes: [
      { ...axis, label: "blocks from now", labelSize: 20 },
      { ...axis, size: 90, values: (_, ticks) => ticks.map(digits) },
    ],
    series: [
      {}, { stroke: ink, width: 1.5, points: { show: false } }, { stroke: sea, width: 2, spanGaps: true, points: { show: false } },
      edge, edge, edge, edge,
    ],
    bands: [
      { series: [4, 3], fill: sea + "26" },
      { series: [6, 5], fill: sea + "4d" },
    ],
  };
}

function draw(figure, facts) {
  const data = columns(facts);
  figure.hidden = false;
  figure.setAttribute("aria-label", `${facts.name}: next ${digits(facts.next_fee_wei / 1e9)} gwei; ` +
    `25 blocks ahead between ${digits(facts.ahead["25"].q10)} and ${digits(facts.ahead["25"].q90)} with 80 %`);
  const chart = charts.get(figure);
  if (chart) { chart.setData(data); return; }
  const made = new uPlot(options(figure.clientWidth), data, figure);
  charts.set(figure, made);
  new ResizeObserver(() => made.setSize({ width: figure.clientWidth, height: 240 })).observe(figure);
}

async function refresh() {
  if (!document.querySelector("figure.fan")) return; // a page without fees
  try {
    const answer = await fetch("/board/fees", { headers: { Accept: "text/html" } });
    if (answer.ok) tables.innerHTML = await answer.text(); // escaped by the server, and the policy allows no inline script
    for (const figure of document.querySelectorAll("figure.fan")) {
      const told = await fetch(`/v1/gas/${encodeURIComponent(figure.dataset.chain)}`, { cache: "no-cache" });
      if (told.ok) draw(figure, await told.json());
    }
    document.body.classList.remove("fees-lost");
  } catch {
    document.body.classList.add("fees-lost");
  }
}

// A theme that changes needs other ink.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const chart of charts.values()) chart.destroy();
  charts.clear();
  refresh();
});
refresh();
setInterval(refresh, 3000);

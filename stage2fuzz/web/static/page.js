// Stepping through a run by keyboard, and figures that follow a campaign. Pages work without it.
"use strict";

const tables = Array.from(document.querySelectorAll("table.run"));
const runs = tables.map((table) => Array.from(table.tBodies[0].rows));
const at = runs.map(() => -1);
const said = document.getElementById("said");
const state = document.getElementById("state");
let shown = 0;

function show(next, quiet) {
  const rows = runs[shown];
  if (next < 0 || next >= rows.length) return;
  document.querySelectorAll(".run tr[aria-current]").forEach((row) => {
    row.removeAttribute("aria-current");
  });
  at[shown] = next;
  const row = rows[next];
  row.setAttribute("aria-current", "step");
  const heads = Array.from(tables[shown].tHead.rows[0].cells);
  const words = [];
  const cells = Array.from(row.cells).filter((cell) => !cell.classList.contains("state"));
  cells.forEach((cell, column) => {
    const text = cell.textContent.trim();
    if (text) words.push(heads[column].textContent + " " + text);
  });
  const held = cells.findIndex((cell) => cell.classList.contains("held"));
  if (held >= 0) words.push("mmu_lock: " + heads[held].textContent);
  if (said) said.textContent = words.join(" \u00b7 ");
  if (state) {
    const more = row.querySelector("td.state details");
    const parts = more ? Array.from(more.children).slice(1) : [];
    const step = document.createElement("h3");
    step.textContent = "After step " + row.cells[0].textContent;
    state.replaceChildren(step, ...parts.map((part) => part.cloneNode(true)));
    state.hidden = false;
  }
  if (quiet) return;
  row.scrollIntoView({ block: "nearest" });
  history.replaceState(null, "", "#" + row.id);
}

function proof(step) {
  const rows = runs[shown];
  for (let next = at[shown] + step; next >= 0 && next < rows.length; next += step)
    if (rows[next].classList.contains("proof")) return show(next);
}

function other() {
  shown = (shown + 1) % runs.length;
  show(Math.max(0, at[shown]));
}

const moves = {
  j: () => show(at[shown] + 1), k: () => show(at[shown] - 1),
  n: () => proof(1), p: () => proof(-1), o: other,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("input, textarea, select")) return;
  const move = moves[event.key];
  if (move && runs.length) { move(); event.preventDefault(); }
});
runs.forEach((rows, run) => rows.forEach((row, number) => {
  row.addEventListener("click", () => { shown = run; show(number); });
}));
runs.forEach((rows, run) => {
  const asked = rows.findIndex((row) => "#" + row.id === location.hash);
  if (asked >= 0) { shown = run; show(asked); }
});
if (runs.length && at[shown] < 0) {
  const proofs = runs[shown].map((row) => row.classList.contains("proof"));
  show(proofs.lastIndexOf(true), true);  // where the verdict is proved, without moving the page
}

const live = document.querySelector("[data-live]");
async function refresh() {
  try {
    const answer = await fetch(live.dataset.live);
    if (!answer.ok) return;
    const record = await answer.json();
    live.querySelectorAll("[data-figure]").forEach((each) => {
      each.textContent = Math.round(record[each.dataset.figure]).toLocaleString("en");
    });
    const picture = document.querySelector("img.course");
    if (picture) picture.src = picture.src.split("?")[0] + "?" + Date.now();
    if (record.state === "running" || record.state === "draining") setTimeout(refresh, 5000);
  } catch (error) { setTimeout(refresh, 15000); }
}
if (live) setTimeout(refresh, 5000);
document.documentElement.dataset.ready = "yes";

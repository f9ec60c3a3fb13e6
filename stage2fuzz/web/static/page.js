// Stepping through a run by keyboard, and figures that follow a campaign. Pages work without it.
"use strict";

const rows = Array.from(document.querySelectorAll(".run tbody tr"));
const said = document.getElementById("said");
let at = -1;

function show(next) {
  if (next < 0 || next >= rows.length) return;
  if (at >= 0) rows[at].removeAttribute("aria-current");
  at = next;
  const row = rows[at];
  row.setAttribute("aria-current", "step");
  row.scrollIntoView({ block: "nearest" });
  const heads = Array.from(row.closest("table").querySelectorAll("thead th"));
  const words = [];
  Array.from(row.cells).forEach((cell, column) => {
    const text = cell.textContent.trim();
    if (text) words.push(heads[column].textContent + " " + text);
  });
  const held = Array.from(row.cells).findIndex((cell) => cell.classList.contains("held"));
  if (held >= 0) words.push("mmu_lock: " + heads[held].textContent);
  if (said) said.textContent = words.join(" \u00b7 ");
  history.replaceState(null, "", "#" + row.id);
}

function proof(step) {
  for (let next = at + step; next >= 0 && next < rows.length; next += step)
    if (rows[next].classList.contains("proof")) return show(next);
}

const moves = {
  j: () => show(at + 1), k: () => show(at - 1), n: () => proof(1), p: () => proof(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("input, textarea, select")) return;
  const move = moves[event.key];
  if (move && rows.length) { move(); event.preventDefault(); }
});
rows.forEach((row, number) => row.addEventListener("click", () => show(number)));
if (location.hash.startsWith("#step-"))
  show(rows.findIndex((row) => "#" + row.id === location.hash));

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

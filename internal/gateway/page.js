"use strict";
const source = new EventSource("/.slipway/progress");
source.onmessage = (event) => {
  const now = JSON.parse(event.data);
  document.querySelector("h1").textContent = now.title;
  document.getElementById("now").textContent = now.text;
  const bar = document.getElementById("bar");
  if (now.percent) bar.value = now.percent;
  else bar.removeAttribute("value");
  for (const step of now.steps) {
    const item = document.getElementById("step-" + step.name);
    item.className = step.state;
    if (step.state === "now") item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
};
source.addEventListener("over", () => location.reload());
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
};

// Keeps the clips on the page up to date while any of them is on its way.
const EVERY = 500;

async function look() {
  const answer = await fetch(document.body.dataset.progress);
  const { clips } = await answer.json();
  for (const clip of clips) {
    const card = document.querySelector(`[data-clip="${clip.id}"]`);
    if (!card) continue;
    card.dataset.state = clip.state;
    card.dataset.outcome = clip.outcome;
    card.querySelector("progress").value = clip.confirmed;
    card.querySelector(".state").textContent = clip.state;
    card.querySelector(".outcome").textContent = clip.trouble;
  }
  const ended = ["done", "failed", "cancelled"];
  if (clips.some((clip) => !ended.includes(clip.state))) setTimeout(look, EVERY);
}

look();

// Draws every <canvas data-chart="ID"> from the JSON in the script tag of that id:
// {points: [unix seconds], currency, series: [{name, values, colour, width?, dashed?, stepped?}]}.
window.addEventListener("load", () => {
  const money = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const short = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });

  const moment = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");

  // Half a day shows the time, a week the date with the time, more the date.
  const tick = (seconds, span) => {
    const text = moment(seconds);
    return span > 7 * 86400 ? text.slice(5, 10) : span > 43200 ? text.slice(5) : text.slice(11);
  };

  for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
    const data = JSON.parse(document.getElementById(canvas.dataset.chart).textContent);
    const span = data.points[data.points.length - 1] - data.points[0];
    const dark = document.documentElement.classList.contains("dark");
    const grid = dark ? "rgba(255,255,255,.08)" : "rgba(0,0,0,.06)";
    const ink = dark ? "#cbd5e1" : "#475569";

    new Chart(canvas, {
      type: "line",
      data: {
        datasets: data.series.map((line) => ({
          label: line.name,
          data: line.values.map((value, index) => ({ x: data.points[index], y: value })),
          borderColor: line.colour,
          backgroundColor: line.colour,
          borderWidth: line.width || 1.5,
          borderDash: line.dashed ? [6, 4] : [],
          stepped: line.stepped ? "before" : false,
          pointRadius: data.points.length === 1 ? 3 : 0,
          pointHitRadius: 6,
        })),
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        normalized: true,
        interaction: { mode: "index", intersect: false },
        scales: {
          x: {
            type: "linear",
            min: data.points[0],
            max: data.points[data.points.length - 1],
            grid: { display: false },
            ticks: { color: ink, maxRotation: 0, autoSkipPadding: 16, callback: (value) => tick(value, span) },
          },
          y: {
            grid: { color: grid },
            grace: "3%",
            ticks: { color: ink, callback: (value) => short.format(value) },
          },
        },
        plugins: {
          legend: { position: "bottom", labels: { color: ink, usePointStyle: true, pointStyle: "line", boxWidth: 24 } },
          tooltip: {
            callbacks: {
              title: (items) => (items.length ? `${moment(items[0].parsed.x)} UTC` : ""),
              label: (item) => `${item.dataset.label}: ${money.format(item.parsed.y)} ${data.currency}`,
            },
          },
        },
      },
    });
  }
});

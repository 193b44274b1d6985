"use strict";
const pack = JSON.parse(document.getElementById("pack").textContent);
document.body.append(pack.entries.map((entry) => entry.name).join(", "));

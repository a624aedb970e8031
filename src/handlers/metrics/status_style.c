/*
 * The style and the script of the status page.  It is whole without the script, which asks for the
 * page anew every two seconds and puts what is in `main` in place of what was there.
 */
#include "handlers/metrics/status.h"

/* clang-format off */

const char status_style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#5f6b7a;--line:#e3e7ec;--page:#f6f7f9;--card:#fff;"
    "--accent:#2f6fed;--bad:#c8362b}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e7eaee;--soft:#98a3b1;--line:#2b323b;--page:#14171b;"
    "--card:#1c2127;--accent:#6c9bff;--bad:#ff7a6e}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--ink);font:15px/1.45 system-ui,-apple-system,'Segoe UI',sans-serif}\n"
    "header,main{max-width:1180px;margin:0 auto;padding:0 20px}\n"
    "header{display:flex;align-items:baseline;gap:12px;padding-top:26px}\n"
    "h1{font-size:22px;margin:0;letter-spacing:-.01em}\n"
    "h1 b{color:var(--accent)}\n"
    "header span{color:var(--soft);font-size:13px}\n"
    "h2{font-size:13px;font-weight:600;color:var(--soft);margin:30px 0 8px}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin-top:18px}\n"
    ".card,.table{background:var(--card);border:1px solid var(--line);border-radius:10px}\n"
    ".card{padding:12px 14px}\n"
    ".card span{display:block;color:var(--soft);font-size:13px}\n"
    ".card b{font-size:26px;font-weight:600;letter-spacing:-.02em;font-variant-numeric:tabular-nums}\n"
    ".card svg{display:block;width:100%;height:36px;margin-top:6px}\n"
    ".card polyline{fill:none;stroke:var(--accent);stroke-width:1.5;vector-effect:non-scaling-stroke}\n"
    ".card.bad polyline{stroke:var(--bad)}\n"
    ".table{overflow:auto;max-height:560px}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{padding:6px 14px;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\n"
    "th{position:sticky;top:0;background:var(--card);color:var(--soft);font-weight:500;font-size:13px;"
    "box-shadow:inset 0 -1px var(--line)}\n"
    "th:first-child,td:first-child,.t{text-align:left}\n"
    "td:first-child{font-family:ui-monospace,SFMono-Regular,Menlo,monospace;font-size:13px}\n"
    "tr+tr td{border-top:1px solid var(--line)}\n"
    ".no{color:var(--soft)}.bad b,td.bad{color:var(--bad)}\n"
    "footer{color:var(--soft);font-size:13px;padding:24px 0 40px}\n"
    "footer a{color:var(--accent)}\n"
    "@media(max-width:640px){header,main{padding:0 12px}header{padding-top:16px}.cards{grid-template-columns:1fr 1fr;gap:8px}"
    "th,td{padding:6px 8px}.card b{font-size:21px}.wide{display:none}}\n";

const char status_script[] =
    "setInterval(async function(){if(document.hidden)return;try{"
    "var r=await fetch(location.href,{headers:{Accept:'text/html'}});if(!r.ok)return;"
    "var d=new DOMParser().parseFromString(await r.text(),'text/html'),o=document.querySelectorAll('.table'),"
    "n=d.querySelectorAll('.table'),y=[].map.call(o,function(e){return e.scrollTop});"
    "document.querySelector('main').replaceWith(d.querySelector('main'));"
    "document.querySelectorAll('.table').forEach(function(e,i){e.scrollTop=y[i]||0})}catch(e){}},2000)\n";

/* clang-format on */

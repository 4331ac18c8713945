//! The styles of the page, and their hashes for its policy.

/// The page's own; those of pictures are `labsim_picture::style()`. Texts have a contrast of 4.5 or more in both
/// themes.
pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:90rem;padding:1rem;color:#1f2328;background:#fff}\
h1,h2,h3{line-height:1.25}h2{border-top:1px solid #d1d9e0;padding-top:1rem;overflow-wrap:anywhere}\
a{color:#0550ae}\
.passed{color:#116329}.failed{color:#a40e26}.undecided{color:#7d4e00}\
.passed,.failed,.undecided{font-weight:bold}\
.cause{border-left:4px solid #a40e26;padding:.25rem 1rem;margin:1rem 0}\
.quiet{color:#59636e}\
p,li{overflow-wrap:anywhere}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;margin:.5rem 0}caption{text-align:left;font-weight:bold;padding:.25rem 0}\
th,td{text-align:left;vertical-align:top;border-bottom:1px solid #d1d9e0;padding:.2rem .75rem .2rem 0}\
pre{background:#f6f8fa;padding:.5rem;white-space:pre-wrap;overflow-wrap:anywhere}\
summary{cursor:pointer;padding:.25rem 0}\
a:focus-visible,summary:focus-visible,.wide:focus-visible{outline:3px solid #0550ae;outline-offset:2px}\
svg{max-width:none}\
.ladder text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;fill:#1f2328}\
.ladder .head{font-weight:bold}.ladder .quiet{fill:#59636e}.ladder .lost{fill:#a40e26;stroke:none;font-weight:bold}\
.ladder .line{stroke:#8c959f;stroke-dasharray:3 4}\
.ladder .band{stroke:#f6f8fa;stroke-width:24}\
.ladder .hop{stroke:#1f2328;stroke-width:1.5;fill:#1f2328}.ladder .tip{fill:#1f2328}\
.ladder .tunnelled{stroke:#0550ae;stroke-width:4;fill:#0550ae}\
.ladder .drop{stroke:#a40e26;stroke-width:2;stroke-dasharray:5 3;fill:none}\
.explored .static,[hidden]{display:none!important}\
.tools{float:right}.labelled{display:inline-block;margin:.25rem 1rem .25rem 0}\
select,button,input{font:inherit;color:inherit;background:var(--field);border:1px solid var(--edge);border-radius:.35rem;padding:.15rem .5rem;max-width:85vw}\
button{cursor:pointer}button:disabled{opacity:.5;cursor:default}\
:root{--field:#fff;--edge:#818b98;--quiet:#59636e;--soft:#f6f8fa;--mark:#0550ae;--new:#116329;--bad:#a40e26;--changed:#fff8c5}\
select:focus-visible,button:focus-visible,input:focus-visible,h4:focus-visible,svg a:focus-visible{outline:3px solid var(--mark);outline-offset:2px}\
.walk{border:1px solid var(--edge);border-radius:.5rem;padding:.5rem 1rem;margin:1rem 0}\
.walk h4{margin:.25rem 0;overflow-wrap:anywhere}.walk p{margin:.25rem 0}\
.way{display:flex;flex-wrap:wrap;gap:.25rem;list-style:none;margin:.5rem 0;padding:0}\
.way button[aria-current]{font-weight:bold;border:2px solid var(--mark);box-shadow:inset 0 -3px var(--mark)}\
.ends button{color:var(--bad);border-color:var(--bad)}\
.controls{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.5rem 0}.controls input{flex:1 1 8rem;min-width:6rem;padding:0}\
.where{font-weight:bold}\
.box{border:2px solid var(--edge);border-radius:.4rem;padding:.25rem .5rem .5rem;margin:.35rem 0;background:var(--field)}\
.box .box{margin-left:.25rem}.put{border-color:var(--new);border-style:double;border-width:4px}\
.new{color:var(--new);font-weight:bold;margin-left:1rem}.gone{color:var(--bad);font-weight:bold}\
.kind{color:var(--quiet)}.kind strong{color:var(--mark)}\
.body{display:flex;flex-wrap:wrap;gap:.25rem 1.5rem;justify-content:space-between}\
.body dl{flex:1 1 20rem;display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:0;align-content:flex-start}\
.body dl div{display:flex;gap:.35rem;padding:0 .25rem}.body dt{color:var(--quiet)}.body dd{margin:0;overflow-wrap:anywhere}\
.changed{background:var(--changed);border-left:3px solid var(--mark)}.changed dd{font-weight:bold}.was{font-weight:normal;text-decoration:underline}\
.bytes{margin:0;padding:.25rem .5rem;white-space:pre-wrap;font-size:.8rem;background:var(--soft);align-self:flex-start}\
.bytes b{background:var(--changed);text-decoration:underline}.offset{color:var(--quiet)}.offset:after{content:' '}.letters{margin-left:1rem}\
.part{display:inline-block;border:1px dashed var(--edge);border-radius:.25rem;padding:0 .4rem;margin:.25rem .35rem 0 0!important}.part .name{color:var(--quiet)}.part code{font-size:.8rem;background:var(--soft);margin-left:.5rem;padding:0 .25rem}.part strong{font-weight:normal;color:var(--mark)}\
.fallen{color:var(--bad);font-size:3rem;line-height:1}\
@media (prefers-reduced-motion:no-preference){.fallen{animation:fall .8s ease-in}@keyframes fall{from{transform:translateY(-3rem) rotate(-90deg)}}}\
.ladder .target{fill:none;pointer-events:all}.ladder a:hover .target,.ladder .of .target{fill:var(--changed);opacity:.6}.ladder .number{text-decoration:underline;fill:var(--mark)}\
.ladder tspan{fill:var(--quiet)}.ladder .cross{stroke:var(--bad);stroke-width:3;fill:none}\
@media (max-width:40rem){body{padding:.5rem}.walk{padding:.5rem}.box{padding:.25rem}.box .box{margin-left:0}.bytes{font-size:.7rem;padding:.25rem 0}th,td{padding-right:.4rem}}\
@media screen and (prefers-color-scheme:dark){\
:root{--field:#0d1117;--edge:#656c76;--quiet:#9198a1;--soft:#151b23;--mark:#79c0ff;--new:#56d364;--bad:#ff9492;--changed:#3a2d00}\
body{color:#f0f6fc;background:#0d1117}h2,th,td{border-color:#3d444d}a{color:#79c0ff}\
.passed{color:#56d364}.failed{color:#ff9492}.undecided{color:#e3b341}.cause{border-color:#ff9492}\
.quiet{color:#9198a1}pre{background:#151b23}\
a:focus-visible,summary:focus-visible,.wide:focus-visible{outline-color:#79c0ff}\
.ladder text{fill:#f0f6fc}.ladder .quiet{fill:#9198a1}.ladder .lost{fill:#ff9492}\
.ladder .line{stroke:#656c76}.ladder .band{stroke:#151b23}\
.ladder .hop{stroke:#f0f6fc;fill:#f0f6fc}.ladder .tip{fill:#f0f6fc}.ladder .tunnelled{stroke:#79c0ff;fill:#79c0ff}.ladder .drop{stroke:#ff9492}\
}\
@media print{.wide{overflow:visible}svg{max-width:100%;height:auto}td{overflow-wrap:anywhere}table{font-size:.8rem}.explorer,.tools{display:none}.explored .static{display:block!important}}";

/// The hashes (SHA-256, base64) of [`STYLE`] and of the pictures' two styles, as the policy names them.
pub(crate) const HASHES: [&str; 3] = [
    "c/xce+RbH8MrmDBfOI1o+qFedbR+RjjsIFTDwShVvz8=",
    "clNZv6WpWaxAXrLLTw+jzQ0c0X6lZolxDCYG9NfvKEQ=",
    "bGbMDmgMaAQ5vo3VUCWXFRYo91uJIs6U923oecVnPic=",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::base64;
    use sha2::{Digest as _, Sha256};

    #[test]
    fn the_policy_names_the_hashes_of_the_styles() {
        let hashes = [STYLE, labsim_picture::style(), labsim_picture::way_style()]
            .map(|style| base64(&Sha256::digest(style.as_bytes())));
        assert_eq!(hashes, HASHES, "write these into HASHES");
    }
}

"""Scripts and what U-Boot's shell says to them; the real one is asked the same."""

TEXTS: dict[str, list[str]] = {
    "echo a b   c; echo 'd  e' \"f  g\"": ["a b c", "d  e f  g"],
    "setenv x 'one two'; for i in ${x} three; do echo ${i}; done": ["one", "two", "three"],
    'setenv x "one  two"; for i in "${x}"; do echo "${i}"; done': ["one", "two"],
    "setenv x; for i in ${x}; do echo ${i}; done; echo end": ["end"],
    "if test -n ${nope}; then echo yes; else echo no; fi": ["no"],
    'if test -n "${nope}"; then echo yes; else echo no; fi': ["no"],
    'if test -z "${nope}"; then echo yes; else echo no; fi': ["yes"],
    "setenv x a; if test ${x} = b; then echo b; elif test ${x} = a; then echo a; else echo none; fi": ["a"],
    'setenv x; if test "x${x}" = "x"; then echo empty; fi': ["empty"],
    "setenv x 3; if test ${x} -gt 0; then setexpr x ${x} - 1; echo ${x}; fi": ["2"],
    "setenv x 0x9; setexpr x ${x} + 1; echo ${x}": ["a"],
    "setexpr x 0xff + 1; echo ${x}; setexpr x 10; echo ${x}": ["100", "10"],
    "if test 0x10 -gt 9; then echo more; fi; if test 010 -eq 8; then echo octal; fi": ["more", "octal"],
    "if test 9 -gt 0x10 || test 1 = 1; then echo or; fi": ["or"],
    "if test 1 = 2 -o 1 = 1; then echo o; fi; if test 1 = 1 -a 1 = 2; then echo a; else echo n; fi": ["o", "n"],
    "if test ! 1 = 2; then echo not; fi; if test ! 1 = 1; then echo not; else echo is; fi": ["not", "is"],
    "true && echo a; false && echo b; false || echo c; true || echo d": ["a", "c"],
    "false || true && echo e": ["e"],
    "false; echo $?; true; echo $?": ["1", "0"],
    "setenv a b; setenv ${a} c; echo ${b}": ["c"],
    "setenv r 'echo ran; true'; run r; setenv r 'false'; run r || echo failed": ["ran", "failed"],
    'setenv o "b a"; setenv s; for i in ${o}; do setenv s ${s}${i}; done; if test "${s}" = "ba"; then echo ba; fi': [
        "ba"
    ],
    "for i in a b; do for j in 1 2; do echo ${i}${j}; done; done": ["a1", "a2", "b1", "b2"],
    "setenv n 0; while test ${n} -lt 3; do setexpr n ${n} + 1; echo ${n}; done": ["1", "2", "3"],
    "if itest 0x10 -gt 9; then echo more; fi; if itest 10 == 0x10; then echo hex; fi": ["more", "hex"],
    "mw.b 0x48000000 41 4; setexpr.b x *0x48000000; echo ${x}; setexpr.l y *0x48000000; echo ${y}": ["41", "41414141"],
    "setenv u 1; setenv v 'a b'; env export -c -s 0x1000 0x48000000 u v; setenv u; setenv v; "
    "env import -c 0x48000000 0x1000 u v && echo ${u} ${v}": ["1 a b"],
    "setenv u 1; env export -c -s 0x1000 0x48000000 u; setenv u; mw.b 0x48000800 1 1; "
    "env import -c 0x48000000 0x1000 || echo torn ${u}": ["torn"],
    "setenv u 1; setenv v 2; env export -c -s 0x1000 0x48000000 u; setenv u; setenv v 3; "
    "env import -c 0x48000000 0x1000 u v; echo ${u} ${v}": ["1 3"],
    "mw.b 0x48000000 0 40; if env import -t 0x48000000 0x40; then echo nothing; else echo refused; fi": ["nothing"],
    # "u=" and the end of a block
    "mw.b 0x48000000 0 40; mw.w 0x48000000 3d75 1; setenv u 1; env import -b 0x48000000 0x40; "
    "env exists u && echo there ${u}; env exists u || echo gone; "
    "env export -c -s 0x40 0x48000000 u; setexpr.w x *0x48000004; echo ${x}": ["gone", "0"],
    "echo a # b\necho c": ["a", "c"],
    "setenv s a; setenv left_a 2; run nothing_such || echo none; setenv c 'echo ${left_a}'; run c": ["none", "2"],
    "if true; then\n\n  # nothing\n  echo in\nfi": ["in"],
    "if false; then echo a\nelse\n echo b\nfi": ["b"],
    "env exists nope || echo no; setenv yes 1; env exists yes && echo yes": ["no", "yes"],
}
"""A script, and the lines that it says."""

# What U-Boot runs at each start: it takes a slot, counts that start off, and starts the slot's kernel.
#
# The record of the slots stands on the card twice, at the start of partitions 2 and 9 (appliance/core/boot_slots.py): the
# copy with the higher serial holds, the other one is written. Slot a is partitions 5 (kernel, slot.env) and 6 (root),
# slot b 7 and 8. The order, left_*, good_* and reason are the record's; what a round is for stands at it below.
# Never a prompt: when nothing starts, all begins anew.

# Where things go in memory; virt's memory begins at 1 GiB, a Raspberry Pi's at 0. Below 448 MiB: a Zero 2 W has no more.
setenv base 0
if test "${devtype}" = "virtio"; then setenv base 40000000; fi
setexpr kernel_at ${base} + 400000
setexpr record_at ${base} + 5000000
setexpr kernel_comp_addr_r ${base} + a000000
setenv kernel_comp_size 5000000
setexpr initrd_at ${base} + 10000000
# Neither is moved: where they are nothing else is.
setenv fdt_high ffffffffffffffff
setenv initrd_high ffffffffffffffff

# The firmware's words for the kernel: cmdline.txt, and what it adds.
setenv firmware_words
fdt addr ${fdt_addr}
fdt get value firmware_words /chosen bootargs

${devtype} dev ${devnum}
setenv newest
setenv highest -1
for part in 2 9; do
  if part start ${devtype} ${devnum} ${part} block; then
    if ${devtype} read ${record_at} ${block} 8; then
      if env import -c ${record_at} 1000 serial; then
        if test "${serial}" -gt "${highest}"; then
          setenv highest ${serial}
          setenv newest ${part}
        fi
      fi
    fi
  fi
done

setenv older 2
setenv order "a b"
if test -n "${newest}"; then
  part start ${devtype} ${devnum} ${newest} block
  ${devtype} read ${record_at} ${block} 8
  env import -c ${record_at} 1000 serial order left_a left_b good_a good_b reason
  if test "${newest}" = "2"; then setenv older 9; fi
else
  # No copy left. What can be read counts as good, the higher version first.
  echo "kontor: no slot record"
  setenv serial 0x0
  setenv reason "the slot record was lost"
  setenv rank_a -1
  setenv rank_b -1
  for part in 5 7; do
    if load ${devtype} ${devnum}:${part} ${record_at} slot.env; then
      if env import -t ${record_at} ${filesize} rank; then
        if test "${part}" = "5"; then setenv rank_a ${rank}; else setenv rank_b ${rank}; fi
      fi
    fi
  done
  if test "${rank_b}" -gt "${rank_a}"; then setenv order "b a"; fi
  setenv left_a 0
  setenv good_a 0
  setenv left_b 0
  setenv good_b 0
  if test "${rank_a}" -gt -1; then setenv left_a 3; setenv good_a 1; fi
  if test "${rank_b}" -gt -1; then setenv left_b 3; setenv good_b 1; fi
fi

# A record may be whole and say nonsense, whoever wrote it: there is always an order, and no slot has starts without end.
setenv said
for slot in ${order}; do setenv said ${said}${slot}; done
if test "${said}" = "ba"; then setenv order "b a"; else setenv order "a b"; fi
if test "${left_a}" -gt 3; then setenv left_a 3; fi
if test "${left_b}" -gt 3; then setenv left_b 3; fi

# left: slots that have a start left. good: none has, so those that were good get theirs again. any: what loads at all.
for round in left good any; do
  if test "${round}" = "good"; then
    if test "${good_a}" = "1"; then setenv left_a 3; fi
    if test "${good_b}" = "1"; then setenv left_b 3; fi
  fi
  if test "${round}" = "any"; then
    setenv left_a 3
    setenv left_b 3
  fi
  for slot in ${order}; do
    if test "${slot}" = "a"; then
      setenv boot_part 5
      setenv root_part 6
      setenv left ${left_a}
    else
      setenv boot_part 7
      setenv root_part 8
      setenv left ${left_b}
    fi
    if test "${left}" -gt 0; then
      setenv loaded 0
      if load ${devtype} ${devnum}:${boot_part} ${record_at} slot.env; then
        if env import -t ${record_at} ${filesize} version root_blocks root_salt root_hash; then
          if load ${devtype} ${devnum}:${boot_part} ${initrd_at} initrd.zst; then
            setenv initrd_size ${filesize}
            if load ${devtype} ${devnum}:${boot_part} ${kernel_at} kernel.gz; then setenv loaded 1; fi
          fi
        fi
      fi
      if test "${loaded}" = "1"; then
        setexpr left ${left} - 1
      else
        echo "kontor: slot ${slot} does not load"
        setenv left 0
        setenv reason "slot ${slot} did not load"
      fi
      if test "${slot}" = "a"; then setenv left_a ${left}; else setenv left_b ${left}; fi

      # Before the start, so that a start that hangs counts. The copy just written is the newer one from now on.
      setexpr serial ${serial} + 1
      setenv serial 0x${serial}
      env export -c -s 1000 ${record_at} serial order left_a left_b good_a good_b reason
      if part start ${devtype} ${devnum} ${older} block; then ${devtype} write ${record_at} ${block} 8; fi
      if test "${older}" = "2"; then setenv older 9; else setenv older 2; fi

      if test "${loaded}" = "1"; then
        echo "kontor: slot ${slot}, version ${version}, ${left} left"
        part uuid ${devtype} ${devnum}:${root_part} root_uuid
        setenv slot_words "kontor.slot=${slot} kontor.root=PARTUUID=${root_uuid}"
        setenv bootargs "${firmware_words} ${slot_words} kontor.verity=${root_blocks}:${root_salt}:${root_hash}"
        booti ${kernel_at} ${initrd_at}:${initrd_size} ${fdt_addr}
        # Only a kernel that is none comes back.
        echo "kontor: slot ${slot} does not start"
        setenv reason "slot ${slot} did not start"
        if test "${slot}" = "a"; then setenv left_a 0; else setenv left_b 0; fi
      fi
    else
      if test -n "${reason}"; then true; else setenv reason "slot ${slot} had no start left"; fi
    fi
  done
done

echo "kontor: nothing starts"
sleep 10
reset

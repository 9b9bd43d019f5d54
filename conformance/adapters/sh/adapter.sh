#!/bin/sh
# An adapter around a command that loads AWQ files: adapter.sh OP INPUT OUTDIR (protocol awqc/1).
#
# awq-conformance doctor -- ./adapter.sh   tells what is wrong with it
# awq-conformance run -- ./adapter.sh      certifies the loader
[ "$1" = dequant ] || exit 69

# >>> YOUR LOADER, in place of awq-loader: a command that verifies INPUT, "$2", and writes NUMBER.W.nk.npy of each
# quantised tensor into OUTDIR, "$3". It ends with 0; or with 65 for a malformed file, 69 for what it does not support.
exec awq-loader dequant "$2" "$3"

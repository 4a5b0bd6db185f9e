# SPDX-License-Identifier: Apache-2.0
# cmake -D DESCRIPTOR=x.desc -D OUTPUT=x.pb.cc -P embed_descriptor.cmake: appends the descriptor set to the generated code.
file(READ ${DESCRIPTOR} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "(................................................................)" "\\1\n" lines "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" lines "${lines}")
string(REGEX REPLACE "([^\n]+)" "    \"\\1\"" lines "${lines}")
file(APPEND ${OUTPUT} "
#include \"sluice/descriptor_comments.h\"
namespace {
const char sluice_descriptor_bytes[] =
${lines};
const sluice::DescriptorComments sluice_descriptor_comments(sluice_descriptor_bytes, ${size});
}  // namespace
")

# SPDX-License-Identifier: Apache-2.0
# cmake -D INPUT=file -D OUTPUT=file.cc -D NAME=kName -P embed_object.cmake: the file's bytes as an aligned array.
file(READ ${INPUT} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(....................................................................................................)" "\\1\n"
                     bytes "${bytes}")
file(WRITE ${OUTPUT} "// Generated.
#include \"filter_object.h\"
namespace sluice::af_xdp {
alignas(8) const unsigned char ${NAME}[] = {
${bytes}};
const std::size_t ${NAME}Size = ${size};
}  // namespace sluice::af_xdp
")

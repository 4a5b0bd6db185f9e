// SPDX-License-Identifier: Apache-2.0
// What a client of the metrics sends: any bytes come to a known status, and once they have, more bytes behind them
// change nothing.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "control/http_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice::http;
  static const std::set<int> known = {0, 200, 400, 404, 405, 431, 505};
  const std::string_view bytes = std::string_view(reinterpret_cast<const char*>(data), size).substr(0, kHeadMax);
  int decided = 0;
  for (std::size_t n = 0; n <= bytes.size(); n += n < 64 ? 1 : 61) {
    const Request request = read_request(bytes.substr(0, n));
    if (!known.contains(request.status)) std::abort();
    if (decided && request.status != decided) std::abort();
    decided = request.status;
    if (decided > 200 && error_response(request).find("\r\n\r\n") == std::string::npos) std::abort();
  }
  return 0;
}

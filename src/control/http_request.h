// SPDX-License-Identifier: Apache-2.0
// Reads the head of an HTTP/1.x request, for the one thing that is served: GET /metrics. RFC 9110, RFC 9112.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "sluice/types.h"

namespace sluice::http {

/// A request's head has at most so many bytes.
inline constexpr std::size_t kHeadMax = 8192;

/// What is to be done about what a client has sent so far.
struct Request {
  int status = 0;          ///< 0: more bytes are needed; 200, or the error to answer with
  bool head_only = false;  ///< HEAD
};

/// Never fails otherwise than by a status. bytes: all that came, at most kHeadMax.
SLUICE_API Request read_request(std::string_view bytes);

/// Status line and header fields of an answer, with the empty line behind them. The connection ends after each answer.
SLUICE_API std::string response_head(int status, std::string_view content_type, std::size_t length);
/// An answer that is an error in one line of text.
SLUICE_API std::string error_response(const Request& request);

}  // namespace sluice::http

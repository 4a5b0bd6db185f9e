// SPDX-License-Identifier: Apache-2.0
// How an area or plugin offers its operations. The operation itself is declared in a .proto file
// (sluice/options.proto); here its handlers are given. All of this runs on the control thread.
//
//   class Routes {
//    public:
//     void offer(Api& api) {
//       api.service("sluice.ip.Routes")
//           .unary("AddRoute", this, &Routes::add)
//           .stream("ShowFib", this, &Routes::show);
//       api.kind("table", "a table", [this](const KindQuery&) { return names(); });
//     }
//    private:
//     Status add(const AddRouteRequest& request, Done& done, CallContext& call) {
//       …validate everything; build the new object…
//       if (same) { done.set_unchanged(true); return {}; }
//       if (call.dry_run()) return {};
//       …publish…
//       return {};
//     }
//     Stream<Route> show(const FibQuery& query) {
//       for (auto prefix = fib_.first(); prefix; prefix = fib_.after(*prefix)) co_yield to_message(*prefix);
//     }
//   };
//
// The request has passed the rules of its fields (range, required, kind) and has its defaults when the handler sees it.
// A handler validates, builds, then publishes: an error says what was wrong with what and what is allowed, and means
// that nothing changed; the framework appends "; nothing changed" to errors of methods that change something.
#pragma once
#include <google/protobuf/message.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sluice/options.pb.h"
#include "sluice/status.h"
#include "sluice/types.h"

namespace sluice {

/// What a handler may know about the call it serves. Lives as long as the call.
class CallContext {
 public:
  enum class Origin { Socket, ReadOnlySocket, Startup, Journal };

  explicit CallContext(Origin origin = Origin::Socket, bool dry_run = false) : origin_(origin), dry_run_(dry_run) {}
  CallContext(const CallContext&) = delete;
  CallContext& operator=(const CallContext&) = delete;

  Origin origin() const { return origin_; }
  /// The client asks what would happen: validate and build, do not publish.
  bool dry_run() const { return dry_run_; }
  /// The client has gone. A stream is destroyed at its next co_yield anyway.
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }
  /// Called by the server, from any thread.
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  /// What is kept of a change instead of its request: a request of another method that says what is left (half of a
  /// route's next hops were deleted: the route that remains).
  struct Recorded {
    std::string method;  ///< path
    std::unique_ptr<google::protobuf::Message> request;
  };
  /// Of a batch: once for each thing that it changed.
  template <class M>
  void record(std::string method, M request) {
    recorded_.push_back({std::move(method), std::make_unique<M>(std::move(request))});
  }
  const std::vector<Recorded>& recorded() const { return recorded_; }

  /// Of an element of a batch: fills in its defaults, and says which rule of its fields it breaks.
  Status check(google::protobuf::Message& element) const { return check_ ? check_(element) : Status(); }
  using Check = std::function<Status(google::protobuf::Message&)>;
  /// Called by the dispatcher before each handler. check: good until the handler returns.
  void begin(Check check = {}) {
    recorded_.clear();
    check_ = std::move(check);
  }

 private:
  Origin origin_;
  bool dry_run_;
  std::vector<Recorded> recorded_;
  Check check_;
  std::atomic<bool> cancelled_{false};
};

/// `co_yield Pause{};` in a stream: nothing to say yet, let the rest of the control thread run.
struct Pause {};
/// `co_yield Wait{100ms};` in a stream: go on after that time (live traces, ping).
struct Wait {
  std::chrono::milliseconds time;
};

/// What the server sees of a stream.
class AnyStream {
 public:
  enum class Step { Value, Pause, Wait, End };
  virtual ~AnyStream() = default;
  /// Runs the handler up to its next co_yield or its end.
  virtual Step next() = 0;
  /// After Step::Value. Valid until next().
  virtual const google::protobuf::Message& value() const = 0;
  /// After Step::Wait.
  virtual std::chrono::milliseconds wait() const = 0;
  /// After Step::End.
  virtual const Status& status() const = 0;
};

/// The reply of a streaming method, written as a coroutine: `co_yield message` for each reply, `co_yield refused(…)` to
/// end with an error. The server resumes it in slices of at most a millisecond and only as fast as the client reads,
/// and destroys it when the client goes. Other handlers run between two co_yields: keep keys or a snapshot across them,
/// never an iterator or pointer into what a handler can change. The request and the context outlive the coroutine.
template <class T>
class Stream {
 public:
  struct promise_type {
    AnyStream::Step step = AnyStream::Step::Pause;
    T value;
    std::chrono::milliseconds wait{0};
    Status status;

    Stream get_return_object() { return Stream(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(T message) {
      value = std::move(message);
      step = AnyStream::Step::Value;
      return {};
    }
    std::suspend_always yield_value(Pause) {
      step = AnyStream::Step::Pause;
      return {};
    }
    std::suspend_always yield_value(Wait request) {
      wait = request.time;
      step = AnyStream::Step::Wait;
      return {};
    }
    std::suspend_always yield_value(Status error) {
      step = error.ok() ? AnyStream::Step::Pause : AnyStream::Step::End;
      status = std::move(error);
      return {};
    }
    void return_void() { step = AnyStream::Step::End; }
    void unhandled_exception() {
      step = AnyStream::Step::End;
      status = make_status(absl::StatusCode::kInternal, "the handler failed: {}", what(std::current_exception()));
    }
    static std::string what(const std::exception_ptr& pointer) {
      try {
        std::rethrow_exception(pointer);
      } catch (const std::exception& error) {
        return error.what();
      } catch (...) {
        return "unknown exception";
      }
    }
  };

  Stream(Stream&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Stream& operator=(Stream&&) = delete;
  ~Stream() {
    if (handle_) handle_.destroy();
  }

  AnyStream::Step next() {
    auto& promise = handle_.promise();
    if (handle_.done() || (promise.step == AnyStream::Step::End)) return AnyStream::Step::End;
    handle_.resume();
    return promise.step;
  }
  const promise_type& promise() const { return handle_.promise(); }

 private:
  explicit Stream(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// One possible value, with what it is ("up, 1500 bytes"); help may be empty.
struct Candidate {
  std::string value;
  std::string help;
  Candidate(std::string v, std::string h = {}) : value(std::move(v)), help(std::move(h)) {}
};

/// What a kind is asked: values that begin with `prefix`, seen the other arguments typed so far (may be null). A list
/// may return others too; they are filtered out.
struct KindQuery {
  std::string_view prefix;
  const google::protobuf::Message* arguments = nullptr;
};

/// A kind of value: completes and checks fields with (f) = {kind: "NAME"}.
struct Kind {
  using List = std::function<std::vector<Candidate>(const KindQuery&)>;
  /// Ok, or what is wrong and what is allowed ("no such interface"); the framework writes `FIELD VALUE: ` before it.
  using Validate = std::function<Status(std::string_view value)>;
  std::string name;
  std::string what;  // "an interface"
  List list;
  Validate validate;  // Without it a value must be in the list.
};

namespace detail {

template <class T>
struct Signature : Signature<decltype(&T::operator())> {};
template <class R, class... A>
struct Signature<R (*)(A...)> {
  using Result = R;
  using Arguments = std::tuple<A...>;
};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...)> : Signature<R (*)(A...)> {};
template <class C, class R, class... A>
struct Signature<R (C::*)(A...) const> : Signature<R (*)(A...)> {};

template <std::size_t N, class F>
using Argument = std::remove_cvref_t<std::tuple_element_t<N, typename Signature<F>::Arguments>>;
template <class F>
inline constexpr std::size_t kArguments = std::tuple_size_v<typename Signature<F>::Arguments>;

template <class T>
struct StreamOf;
template <class T>
struct StreamOf<Stream<T>> {
  using type = T;
};

template <class T>
class StreamHolder final : public AnyStream {
 public:
  explicit StreamHolder(Stream<T> stream) : stream_(std::move(stream)) {}
  Step next() override { return stream_.next(); }
  const google::protobuf::Message& value() const override { return stream_.promise().value; }
  std::chrono::milliseconds wait() const override { return stream_.promise().wait; }
  const Status& status() const override { return stream_.promise().status; }

 private:
  Stream<T> stream_;
};

}  // namespace detail

/// All operations and kinds of a daemon. Made by main, filled by areas and plugins at start, then constant.
class SLUICE_API Api {
 public:
  using Message = google::protobuf::Message;
  using Descriptor = google::protobuf::Descriptor;
  using Unary = std::function<Status(const Message&, Message&, CallContext&)>;
  using Streaming = std::function<std::unique_ptr<AnyStream>(const Message&, CallContext&)>;

  struct Method {
    const google::protobuf::MethodDescriptor* descriptor = nullptr;
    const Message* request = nullptr;  // prototypes
    const Message* reply = nullptr;
    Unary unary;  // one of the two
    Streaming streaming;
    bool batches = false;  // unary is called for each message of the client's stream
    bool read_only = false;
    bool transient = false;
    std::string object;  // CliOptions.object
    bool removes = false;
  };

  /// Takes the handlers of one service. A mistake (a method that does not exist, another message type, a method given
  /// twice or not at all) makes check() fail, and the daemon refuses to start with that sentence.
  class SLUICE_API Service {
   public:
    /// `Status handler(const Request&, Reply&)` or `(const Request&, Reply&, CallContext&)`.
    template <class F>
    Service& unary(std::string_view method, F handler) {
      using Request = detail::Argument<0, F>;
      using Reply = detail::Argument<1, F>;
      static_assert(std::is_base_of_v<Message, Request> && std::is_base_of_v<Message, Reply>,
                    "a unary handler is: Status handler(const Request&, Reply&[, CallContext&])");
      Unary wrapped = [handler = std::move(handler)](const Message& request, Message& reply,
                                                     CallContext& call) -> Status {
        if constexpr (detail::kArguments<F> == 3) {
          return handler(static_cast<const Request&>(request), static_cast<Reply&>(reply), call);
        } else {
          return handler(static_cast<const Request&>(request), static_cast<Reply&>(reply));
        }
      };
      add(method, {Request::descriptor(), Reply::descriptor()}, std::move(wrapped), nullptr);
      return *this;
    }
    /// Of `rpc M(stream Batch) returns (stream Reply)`: a unary handler that is called for each batch and makes one
    /// reply to it. The next batch is read when the client has been answered, and others run between two of them; so a
    /// batch has a bound, as long a run as other clients may wait, and counts whole or not at all. The rules of its
    /// elements are the handler's to ask for (CallContext::check), since it knows them by their position; what it
    /// changed it says with CallContext::record. An error ends the call; batches before it stay.
    template <class Object, class Request, class Reply>
    Service& batches(std::string_view method, Object* object,
                     Status (Object::*function)(const Request&, Reply&, CallContext&)) {
      add(
          method, {Request::descriptor(), Reply::descriptor(), true},
          [object, function](const Message& request, Message& reply, CallContext& call) {
            return (object->*function)(static_cast<const Request&>(request), static_cast<Reply&>(reply), call);
          },
          nullptr);
      return *this;
    }
    /// `Stream<Reply> handler(const Request&)` or `(const Request&, CallContext&)`.
    template <class F>
    Service& stream(std::string_view method, F handler) {
      using Request = detail::Argument<0, F>;
      using Reply = typename detail::StreamOf<typename detail::Signature<F>::Result>::type;
      static_assert(std::is_base_of_v<Message, Request>,
                    "a streaming handler is: Stream<Reply> handler(const Request&[, CallContext&])");
      add(method, {Request::descriptor(), Reply::descriptor()}, nullptr,
          [handler = std::move(handler)](const Message& request, CallContext& call) -> std::unique_ptr<AnyStream> {
            using Holder = detail::StreamHolder<Reply>;
            if constexpr (detail::kArguments<F> == 2) {
              return std::make_unique<Holder>(handler(static_cast<const Request&>(request), call));
            } else {
              return std::make_unique<Holder>(handler(static_cast<const Request&>(request)));
            }
          });
      return *this;
    }
    /// The same for member functions; the object outlives the Api's use.
    template <class Object, class R, class... A>
    Service& unary(std::string_view method, Object* object, R (Object::*function)(A...)) {
      return unary(method, [object, function](A... a) -> R { return (object->*function)(std::forward<A>(a)...); });
    }
    template <class Object, class R, class... A>
    Service& unary(std::string_view method, const Object* object, R (Object::*function)(A...) const) {
      return unary(method, [object, function](A... a) -> R { return (object->*function)(std::forward<A>(a)...); });
    }
    template <class Object, class R, class... A>
    Service& stream(std::string_view method, Object* object, R (Object::*function)(A...)) {
      return stream(method, [object, function](A... a) -> R { return (object->*function)(std::forward<A>(a)...); });
    }
    template <class Object, class R, class... A>
    Service& stream(std::string_view method, const Object* object, R (Object::*function)(A...) const) {
      return stream(method, [object, function](A... a) -> R { return (object->*function)(std::forward<A>(a)...); });
    }

   private:
    friend class Api;
    Service(Api& api, std::string name) : api_(api), name_(std::move(name)) {}
    struct Types {
      const Descriptor* request;
      const Descriptor* reply;
      bool batches = false;
    };
    void add(std::string_view method, const Types& types, Unary unary, Streaming streaming);
    Api& api_;
    std::string name_;
  };

  Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;
  ~Api();

  /// Begins the registration of a service by its full name ("sluice.vxlan.Vxlan").
  Service service(std::string_view full_name);

  /// Makes a kind known. Without `validate` a value must be in the list.
  void kind(std::string_view name, std::string_view what, Kind::List list, Kind::Validate validate = {});

  /// The settings of a feature: `selector` is the feature's name, as in `set interface feature eth0 SELECTOR max-mss
  /// 1400`.
  void settings(std::string_view selector, const Descriptor& message);

  /// Ok when every method of every service has its handler and its options are right; else what is wrong, one a line.
  Status check() const;

  /// By gRPC path, "/sluice.vxlan.Vxlan/CreateTunnel"; null when there is none.
  const Method* find(std::string_view path) const;
  const Kind* find_kind(std::string_view name) const;
  const std::map<std::string, Method, std::less<>>& methods() const { return methods_; }
  const std::map<std::string, Kind, std::less<>>& kinds() const { return kinds_; }
  const std::map<std::string, const Descriptor*, std::less<>>& settings() const { return settings_; }
  /// Full names of the services, sorted.
  std::vector<std::string> services() const;

 private:
  std::map<std::string, Method, std::less<>> methods_;  // by path
  std::map<std::string, Kind, std::less<>> kinds_;
  std::map<std::string, const Descriptor*, std::less<>> settings_;
  std::map<std::string, const google::protobuf::ServiceDescriptor*, std::less<>> services_;
  std::vector<std::string> errors_;
};

}  // namespace sluice

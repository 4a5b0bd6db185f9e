// SPDX-License-Identifier: Apache-2.0
// Says what a type lacks to be a node in the first line of the compiler's error, for a concept that is not satisfied
// says it thirty lines further down, if at all:
//
//   error: invalid application of 'sizeof' to incomplete type 'sluice::node_lacks::NoexceptOnItsCallOperator<MyNode>'
//
// What is missing is a type that nobody defines, with the node as its argument.
#pragma once
#include <sluice/node.h>

#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sluice {

namespace node_lacks {
template <class Node>
struct StaticConstexprNodeInfoCalledKInfo;
template <class Node>
struct EnumClassCalledNext;
template <class Node>
struct EnumClassCalledDrop;
template <class Node>
struct StructCalledTrace;
template <class Node>
struct TraceThatIsTriviallyCopyableAndFitsTraceStep;
template <class Node>
struct VerdictThatIsSluiceVerdictOfItsNextAndDrop;
template <class Node>
struct CallOperatorOfAnyForm;  // sluice/node.h lists them
template <class Node, class Returned>
struct ItsVerdictAsTheResult;
template <class Node>
struct NoexceptOnItsCallOperator;
template <class Node>
struct NoexceptOnPrepareAndFinish;
template <class Node, auto Reason>
struct SentenceInWhyForDrop;
}  // namespace node_lacks

namespace detail {

template <class K>
concept CalledPlain = requires(K k, Packet& p, Worker& w, typename K::Trace* t) { k(p, w, t); };
template <class K>
concept CalledWithOut = requires(K k, Packet& p, Worker& w, typename K::Trace* t, Out<K>& out) { k(p, w, t, out); };
template <class K>
concept CalledWithBatch = requires(K k, Batch<K>& b, Worker& w) { k(b, w); };
template <class K>
concept CalledInStages = requires(K k, Packet& p, Worker& w, typename K::Trace* t, typename K::Key& key) {
  k.prepare(p, w);
  k.finish(p, key, w, t);
};

template <class K, class Returned>
consteval bool check_result() {
  if constexpr (!std::same_as<Returned, typename K::Verdict>) {
    return sizeof(node_lacks::ItsVerdictAsTheResult<K, Returned>) != 0;
  } else {
    return true;
  }
}

template <class K>
consteval bool check_call() {
  if constexpr (CalledPlain<K>) {
    using Result = decltype(std::declval<K&>()(std::declval<Packet&>(), std::declval<Worker&>(),
                                               std::declval<typename K::Trace*>()));
    if constexpr (!check_result<K, Result>()) return false;
  } else if constexpr (CalledWithOut<K>) {
    using Result = decltype(std::declval<K&>()(std::declval<Packet&>(), std::declval<Worker&>(),
                                               std::declval<typename K::Trace*>(), std::declval<Out<K>&>()));
    if constexpr (!check_result<K, Result>()) return false;
  } else if constexpr (CalledInStages<K>) {
    using Result = decltype(std::declval<K&>().finish(std::declval<Packet&>(), std::declval<typename K::Key&>(),
                                                      std::declval<Worker&>(), std::declval<typename K::Trace*>()));
    if constexpr (!check_result<K, Result>()) return false;
  } else if constexpr (!CalledWithBatch<K>) {
    return sizeof(node_lacks::CallOperatorOfAnyForm<K>) != 0;
  }
  // The forms are there; what they still lack for the concept is noexcept.
  if constexpr (!Kernel<K> && CalledInStages<K>) {
    return sizeof(node_lacks::NoexceptOnPrepareAndFinish<K>) != 0;
  } else if constexpr (!Kernel<K>) {
    return sizeof(node_lacks::NoexceptOnItsCallOperator<K>) != 0;
  } else {
    return true;
  }
}

template <class K, auto Reason>
concept Explained = requires { typename std::bool_constant<K::why(Reason).empty()>; } &&
                    !std::bool_constant<K::why(Reason).empty()>::value;

template <class K, auto Reason>
consteval bool check_sentence() {
  if constexpr (!Explained<K, Reason>) {
    return sizeof(node_lacks::SentenceInWhyForDrop<K, Reason>) != 0;
  } else {
    return true;
  }
}

template <class K, std::size_t... I>
consteval bool check_sentences(std::index_sequence<I...>) {
  return (check_sentence<K, static_cast<typename K::Drop>(I)>() && ...);
}

}  // namespace detail

/// True for a node; an error that names the node and the first thing that it lacks for any other type.
template <class K>
consteval bool check_node() {
  if constexpr (!requires {
                  { K::kInfo } -> std::convertible_to<NodeInfo>;
                }) {
    return sizeof(node_lacks::StaticConstexprNodeInfoCalledKInfo<K>) != 0;
  } else if constexpr (!requires { typename K::Next; }) {
    return sizeof(node_lacks::EnumClassCalledNext<K>) != 0;
  } else if constexpr (!requires { typename K::Drop; }) {
    return sizeof(node_lacks::EnumClassCalledDrop<K>) != 0;
  } else if constexpr (!requires { typename K::Trace; }) {
    return sizeof(node_lacks::StructCalledTrace<K>) != 0;
  } else if constexpr (!requires {
                         requires std::same_as<typename K::Verdict, Verdict<typename K::Next, typename K::Drop>>;
                       }) {
    return sizeof(node_lacks::VerdictThatIsSluiceVerdictOfItsNextAndDrop<K>) != 0;
  } else if constexpr (!Node<K>) {
    return sizeof(node_lacks::TraceThatIsTriviallyCopyableAndFitsTraceStep<K>) != 0;
  } else if constexpr (!detail::check_call<K>()) {
    return false;
  } else {
    return detail::check_sentences<K>(std::make_index_sequence<enum_count<typename K::Drop>()>{});
  }
}

}  // namespace sluice

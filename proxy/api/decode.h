// Bytes of the Kubernetes API, or of manifests, to model objects: JSON in chunks, YAML as a text.
#pragma once

#include <boost/system/result.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/model/objects.h"

namespace ipvsproxy::api {

/// Why input was refused or passed over: where it stands ("spec.ports[0].port") and what is wrong.
struct Problem {
    std::string path; ///< within the object; empty for the object as a whole
    std::string reason;
    std::size_t line{}; ///< of the input, from 1; 0 when it was not asked for or is not known
    std::string text() const { return path.empty() ? reason : path + ": " + reason; }
    friend bool operator==(const Problem&, const Problem&) = default;
};
template <class T> using Result = boost::system::result<T, Problem>;

/// metav1.Status: the answer to a refused request, or the object of a watch event ERROR.
struct Status {
    std::int64_t code{}; ///< HTTP's: 410 when a resourceVersion is too old
    std::string reason, message;
    friend bool operator==(const Status&, const Status&) = default;
};

/// An object of another kind, or an EndpointSlice that says nothing to a proxy: of addresses that
/// are names, without a service, or labelled service.kubernetes.io/headless. Whoever held such a
/// slice before lets it go.
struct OtherObject {
    std::string api_version;
    friend bool operator==(const OtherObject&, const OtherObject&) = default;
};

using Object = std::variant<model::Service, model::EndpointSlice, model::Node, Status, OtherObject>;

/// What a watch says of the object it brings (metav1.WatchEvent type); none in lists and manifests.
enum class Event : std::uint8_t { none, added, modified, deleted, bookmark, error };

/// One object of the input, whole or refused.
// NOLINTNEXTLINE(bugprone-exception-escape): what is moved allocates nothing
struct Decoded {
    Event event{Event::none};
    std::string kind{};             ///< "Service"; in typed lists it is the list's, less "List"
    model::ObjectName name{};       ///< known also of refused objects, where they say it
    std::string resource_version{}; ///< metadata.resourceVersion; a bookmark's too
    bool initial_events_end{};      ///< the bookmark that ends the initial list of a watch
    std::size_t line{};             ///< where its first key stands, from 1; 0 when not known
    Result<Object> object{Object{OtherObject{}}};
    std::vector<Problem> warnings{}; ///< what was passed over in an object that is good otherwise
    /// `Service default/web`, `Node n1`; `Service` when it has no name.
    std::string label() const;
};

/// Of a list: what the next request needs.
struct ListEnd {
    std::string resource_version;
    std::string continue_token; ///< empty on the last page
    friend bool operator==(const ListEnd&, const ListEnd&) = default;
};

/// Takes each object as soon as its last byte was read.
using Receiver = std::function<void(Decoded&&)>;

/// Where the input comes from decides what an absent field means.
enum class Origin : std::uint8_t {
    server,  ///< kube-apiserver has filled in its defaults: a port without a name is odd
    manifest ///< as written by hand: its defaults are filled in here, and lines are counted
};

/// Reads objects, lists of them and watch events from pieces of any size. A refused object leaves
/// those after it alone; a text that is broken ends the reading.
class Decoder {
public:
    Decoder() = default;
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    virtual ~Decoder() = default;

    /// Nothing when all is well. After a problem it stays the answer to every call.
    virtual std::optional<Problem> feed(std::string_view bytes) = 0;
    /// Call when there is no more: a value that is cut off is a problem.
    virtual std::optional<Problem> finish() = 0;
    /// Of the last list that ended; nothing before the first.
    virtual const std::optional<ListEnd>& list_end() const = 0;
};

/// Of JSON: any sequence of objects, lists and events. Memory: one object at a time (all items only
/// where a list says its kind at its end).
class JsonDecoder final : public Decoder {
public:
    explicit JsonDecoder(Receiver receiver, Origin origin = Origin::server);
    ~JsonDecoder() override;

    std::optional<Problem> feed(std::string_view bytes) override;
    std::optional<Problem> finish() override;
    const std::optional<ListEnd>& list_end() const override;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// Of what kube-apiserver answers as application/vnd.kubernetes.protobuf: one object or list in
/// the envelope runtime.Unknown, or the events of a watch. Memory: one object at a time.
class ProtobufDecoder final : public Decoder {
public:
    /// A watch frames its events: each comes after its length.
    enum class Form : std::uint8_t { single, watch };
    ProtobufDecoder(Receiver receiver, Form form);
    ~ProtobufDecoder() override;

    std::optional<Problem> feed(std::string_view bytes) override;
    std::optional<Problem> finish() override;
    const std::optional<ListEnd>& list_end() const override;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// Reads a JSON text from one buffer.
std::optional<Problem> decode_json(std::string_view text, const Receiver& receiver,
                                   Origin origin = Origin::manifest);
/// Reads the documents of a YAML text. Plain scalars have the types of the YAML 1.2 core schema.
/// Anchors, aliases and merge keys are refused where they would be read.
std::optional<Problem> decode_yaml(std::string_view text, const Receiver& receiver,
                                   Origin origin = Origin::manifest);

} // namespace ipvsproxy::api

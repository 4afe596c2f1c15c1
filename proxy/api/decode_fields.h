// The fields that are read, as tables: which key, of what type, taken how.
#pragma once

#include <span>

#include "proxy/api/decode_draft.h"

namespace ipvsproxy::api {

enum class Shape : std::uint8_t {
    text,
    integer,
    boolean,
    object,
    texts,       ///< a list of strings
    objects,     ///< a list of objects
    items,       ///< a list of whole API objects, each a draft of its own
    event_object ///< the API object of a watch event
};

/// What taking a value came to.
struct Verdict {
    enum : std::uint8_t { taken, warned, refused } outcome{taken};
    const char* reason{};
};

/// One key of an object.
struct Field {
    std::string_view key;
    Shape shape;
    Kinds kinds;
    Verdict (*text)(Draft&, std::string_view){}; ///< text, and each of texts
    Verdict (*integer)(Draft&, std::int64_t){};
    void (*boolean)(Draft&, bool){};
    void (*begin)(Draft&){};         ///< a list begins: what an earlier one gave goes
    void (*next)(Draft&){};          ///< objects: a new element
    std::span<const Field> inside{}; ///< object, objects
};

/// Of an object in `items` or in a watch event. At most 64 in each table: a bit marks each seen.
extern const std::span<const Field> object_fields;
/// Of the outermost object: an object, a list or a watch event.
extern const std::span<const Field> root_fields;

} // namespace ipvsproxy::api

// Leaves out of the API server's JSON what is large and never read, before a parser looks at it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ipvsproxy::api {

/// Empties managedFields, ownerReferences and targetRef, which are most of a list, in a JSON text
/// that comes in pieces of any size: `"managedFields":[…]` becomes `"managedFields":[]`. All else
/// passes as it is and at once, so that a parser says of the rest what it would have said of the
/// whole. What is left out is not checked: only where it ends is looked for, by its strings and its
/// brackets of the one kind. A key that is followed by a blank, or has escapes, is not known here
/// and passes: the API server writes neither.
class Sieve {
public:
    /// @return what is kept of the piece. Valid until the next call, and as long as the piece is.
    std::string_view pass(std::string_view piece);

private:
    std::size_t find(std::string_view piece, std::size_t from) const;
    bool is_unread(std::string_view piece, std::size_t bracket) const;
    std::size_t skip(std::string_view text, std::size_t from);

    std::string kept_{};
    std::string before_{}; ///< the end of the pieces before: a key may be cut in two
    // Of the value that is being left out:
    std::size_t depth_{}; ///< brackets that are open; 0: none is left out
    char opens_{}, closes_{};
    bool in_string_{}, escaped_{};
};

} // namespace ipvsproxy::api

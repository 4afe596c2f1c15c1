// Which file gives which object, and which of them counts.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "netlink/sorted_map.h"
#include "proxy/model/store.h"

namespace ipvsproxy::files {

/// Names an object of the three kinds. A Node's namespace is empty.
struct Key {
    enum class Kind : std::uint8_t { service, slice, node } kind;
    model::ObjectName name;
    /// "Service default/web", "Node n1"
    std::string text() const;
    friend auto operator<=>(const Key&, const Key&) = default;
};

/// What one file gives, by name; each kind for itself, so that kinds that take turns in a file are
/// each in order still.
struct Objects {
    SortedMap<model::ObjectName, model::Service> services{};
    SortedMap<model::ObjectName, model::EndpointSlice> slices{};
    SortedMap<std::string, model::Node> nodes{};
    std::size_t size() const noexcept { return services.size() + slices.size() + nodes.size(); }
    bool contains(const Key& key) const;
    friend bool operator==(const Objects&, const Objects&) = default;
};

/// Puts into a store what files give, one layer a file. Of one object's givers the last in the
/// order of their names counts; the others' are kept until it goes. The store holds the one that
/// counts.
class Layers {
public:
    explicit Layers(model::Store& store) : store_{store} {}
    /// From now on `file` gives exactly `objects`, and still what it gave before of `kept`.
    void replace(const std::string& file, Objects objects, const std::set<Key>& kept);
    void remove(const std::string& file) { replace(file, {}, {}); }
    /// What a file gives now.
    std::set<Key> given_by(const std::string& file) const;
    /// The objects given by more than one file, each with these in order; the last one counts.
    std::map<Key, std::vector<std::string>> contested() const;

private:
    using Given = std::variant<model::Service, model::EndpointSlice, model::Node>;
    struct Layer {
        const std::string* file{}; ///< a key of given_
        Given object;
    };
    /// Of one object; mostly one file.
    struct Givers {
        /// The one that counts, a key of given_. The store has what it gives.
        const std::string* last{};
        std::unique_ptr<std::vector<Layer>> hidden{}; ///< the others in order; nothing: none
    };
    using Gifts = std::vector<Key>;

    template <class Object>
    void give(std::map<std::string, Gifts>::value_type& file, const Key& key, Object&& object);
    void take_back(const std::string& file, const Key& key);
    void withdraw(const Key& key);
    Given held(const Key& key) const;
    void put(Given&& object);

    model::Store& store_;
    SortedMap<Key, Givers> givers_{};
    std::map<std::string, Gifts> given_{}; ///< by file, in any order
    std::set<Key> contested_{};
};

} // namespace ipvsproxy::files

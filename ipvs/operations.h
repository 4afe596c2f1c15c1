// Changes as the ordered single writes that a table makes of them; the kernel's table and its twin
// share the order and the reading of errors.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

#include "ipvs/table.h"

namespace ipvsproxy::ipvs {

/// IPVS_CMD_* of linux/ip_vs.h.
enum class Command : std::uint8_t {
    new_service = 1,
    set_service = 2,
    del_service = 3,
    new_destination = 5,
    set_destination = 6,
    del_destination = 7,
};

/// One write of a virtual server. Points into the changes it was made from.
struct ServiceOperation {
    Command command{Command::new_service};
    const ServiceKey* key{};
    const ServiceSpec* spec{};    ///< null for a removal
    std::string_view scheduler{}; ///< in place of the spec's own, while real servers are filled in
};

/// One write of a real server. Points into the changes it was made from.
struct DestinationOperation {
    Command command{Command::new_destination};
    const DestinationKey* key{};
    const DestinationSpec* spec{}; ///< null for a removal
};

using Operation = std::variant<ServiceOperation, DestinationOperation>;
using Operations = std::vector<Operation>;

/// What came of a sequence of operations, all of which were tried.
struct Execution {
    struct Error {
        std::size_t index{}; ///< of the operation
        std::error_code code{};
    };
    std::vector<Error> errors;
    bool unknown{}; ///< answers were lost: operations without an error may have failed too
};

/// Cuts `changes` into operations, in the order of Table::apply, has them executed, and sums up
/// the refusals. `execute` is called a few times, each with operations that follow the former.
/// @param order_salt real servers of one virtual server are added in an order that depends on it:
/// nodes with different salts do not all send their first connections to the same one.
Outcome apply_in_order(const TableChanges& changes, std::uint64_t order_salt,
                       const std::function<Execution(const Operations&)>& execute);

} // namespace ipvsproxy::ipvs

#include "tests/kernel/wakeups.h"

#include <filesystem>
#include <fstream>
#include <string>

namespace ipvsproxy::kernel_test {

std::uint64_t wakeups(int process) {
    std::uint64_t sum = 0;
    const std::filesystem::path tasks = "/proc/" + std::to_string(process) + "/task";
    for (const auto& task : std::filesystem::directory_iterator{tasks}) {
        std::ifstream status{task.path() / "status"};
        for (std::string word; status >> word;)
            if (std::uint64_t count = 0; word == "voluntary_ctxt_switches:" && status >> count)
                sum += count;
    }
    return sum;
}

} // namespace ipvsproxy::kernel_test

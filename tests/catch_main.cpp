#define CATCH_CONFIG_EXTERNAL_INTERFACES
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

#include <chrono>
#include <ostream>
#include <sstream>
#include <string>

namespace {

/// The console reporter, with a line before and after each test case for tests/run-all to read.
/// Written out at once, so that a program that crashes or hangs has said in which case.
class LinesReporter : public Catch::ConsoleReporter {
public:
    using ConsoleReporter::ConsoleReporter;

    static std::string getDescription() { return "console, and lines for tests/run-all"; }

    void testCaseStarting(const Catch::TestCaseInfo& test) override {
        ConsoleReporter::testCaseStarting(test);
        first_failure_.clear();
        begin_ = std::chrono::steady_clock::now();
        stream << "BEGIN " << test.name << std::endl;
    }

    bool assertionEnded(const Catch::AssertionStats& stats) override {
        const auto& result = stats.assertionResult;
        if (first_failure_.empty() && !result.isOk()) {
            std::ostringstream text;
            text << result.getSourceInfo() << ": "
                 << (result.hasExpression() ? result.getExpressionInMacro()
                                            : std::string{result.getMessage()});
            first_failure_ = text.str().substr(0, text.str().find('\n'));
        }
        return ConsoleReporter::assertionEnded(stats);
    }

    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        const std::string name = stats.testInfo.name;
        const bool good = stats.totals.testCases.allOk();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin_;
        ConsoleReporter::testCaseEnded(stats);
        stream << (good ? "PASSED " : "FAILED ") << name;
        if (!good) stream << ": " << first_failure_;
        stream << " (" << took.count() << " s)" << std::endl;
    }

private:
    std::chrono::steady_clock::time_point begin_;
    std::string first_failure_;
};

CATCH_REGISTER_REPORTER("lines", LinesReporter)

} // namespace

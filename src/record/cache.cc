#include "record/cache.h"

#include <sqlite3.h>

#include <limits>
#include <mutex>

#include "base/error.h"
#include "base/hash.h"
#include "system/output.h"

namespace assay {
namespace {

constexpr int kCacheVersion = 1;
/// "ASSY": tells our files from other SQLite databases.
constexpr int kApplicationId = 0x41535359;
/// Another process may hold the write lock for a moment; longer means that it hangs.
constexpr int kBusyTimeoutMs = 30'000;

struct Closer {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct Finalizer {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, Closer>;
using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

}  // namespace

struct ResultCache::State {
  std::filesystem::path path;
  Database database;
  Statement get, put, size;
  std::mutex mutex;

  [[noreturn]] void FailSqlite(std::string_view doing) const {
    const int code = database ? sqlite3_errcode(database.get()) : SQLITE_NOMEM;
    const std::string message = database ? sqlite3_errmsg(database.get()) : "out of memory";
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) FailDamaged(message);
    Fail(code == SQLITE_NOMEM || code == SQLITE_FULL ? ErrorKind::kResource : ErrorKind::kIo,
         "{}: cannot {} the result cache: {}", path.string(), doing, message);
  }
  [[noreturn]] void FailDamaged(std::string_view why) const {
    Fail(
        ErrorKind::kCorrupt,
        "{}: expected a result cache, found a damaged file ({}). It was left as it is; move it away to start a new one",
        path.string(), why);
  }

  void Execute(const char* sql, std::string_view doing) const {
    if (sqlite3_exec(database.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) FailSqlite(doing);
  }
  Statement Prepare(const char* sql) const {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(database.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK)
      FailSqlite("read");
    return Statement(statement);
  }
  int64_t Number(const char* sql) const {
    Statement statement = Prepare(sql);
    const int step = sqlite3_step(statement.get());
    if (step == SQLITE_DONE) return -1;
    if (step != SQLITE_ROW) FailSqlite("read");
    return sqlite3_column_int64(statement.get(), 0);
  }

  void Open() {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &raw,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
    database.reset(raw);
    if (code != SQLITE_OK) FailSqlite("open");
    sqlite3_extended_result_codes(database.get(), 0);
    sqlite3_busy_timeout(database.get(), kBusyTimeoutMs);
    CreateOrCheck();
    get = Prepare("SELECT value, hash FROM answer WHERE key = ?1");
    put = Prepare("INSERT OR REPLACE INTO answer (key, value, hash) VALUES (?1, ?2, ?3)");
    size = Prepare("SELECT count(*) FROM answer");
  }

  /// Everything in one write transaction, so that two processes that create the file at once agree.
  void CreateOrCheck() {
    // Some file systems cannot do WAL; SQLite then stays with its rollback journal, which is slower and just as safe.
    // Changing the mode fails while another process is doing the same, hence inside the busy time-out and without an
    // error.
    sqlite3_exec(database.get(), "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    Execute("PRAGMA synchronous = NORMAL", "set up");
    Execute("BEGIN IMMEDIATE", "lock");
    const int64_t application = Number("PRAGMA application_id"), tables = Number("SELECT count(*) FROM sqlite_master");
    if (tables == 0) {
      Execute(
          "CREATE TABLE version (number INTEGER NOT NULL);"
          "CREATE TABLE answer (key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;",
          "create");
      Execute(("INSERT INTO version VALUES (" + std::to_string(kCacheVersion) + ");" +
               "PRAGMA application_id = " + std::to_string(kApplicationId))
                  .c_str(),
              "create");
    } else if (application != kApplicationId) {
      FailDamaged("an SQLite database of another program");
    }
    const int64_t version = Number("SELECT max(number) FROM version");
    if (version > kCacheVersion)
      Fail(ErrorKind::kUnsupported,
           "{}: result cache of version {}, this program reads up to {}; a newer program wrote it", path.string(),
           version, kCacheVersion);
    Execute("COMMIT", "create");
  }
};

ResultCache::ResultCache(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->path = path;
  if (path.has_parent_path()) MakeFolder(path.parent_path());
  state_->Open();
}

ResultCache::~ResultCache() = default;

std::optional<std::string> ResultCache::Get(std::string_view key) {
  std::lock_guard lock(state_->mutex);
  sqlite3_stmt* statement = state_->get.get();
  struct Reset {
    sqlite3_stmt* statement;
    ~Reset() { sqlite3_reset(statement); }
  } reset{statement};
  if (sqlite3_bind_text64(statement, 1, key.data(), key.size(), SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
    state_->FailSqlite("read");
  const int step = sqlite3_step(statement);
  if (step == SQLITE_DONE) return std::nullopt;
  if (step != SQLITE_ROW) state_->FailSqlite("read");
  auto column = [statement](int index) {
    const void* data = sqlite3_column_blob(statement, index);
    const auto bytes = static_cast<size_t>(sqlite3_column_bytes(statement, index));
    return data ? std::string(static_cast<const char*>(data), bytes) : std::string();
  };
  std::string value = column(0);
  // SQLite does not check pages, and a wrong answer would go unnoticed into a verdict.
  if (HashHex(value) != column(1)) state_->FailDamaged("a value does not match its hash");
  return value;
}

void ResultCache::Put(std::string_view key, std::string_view value) {
  ASSAY_CHECK(value.size() < static_cast<size_t>(std::numeric_limits<int>::max()));
  std::lock_guard lock(state_->mutex);
  sqlite3_stmt* statement = state_->put.get();
  const std::string hash = HashHex(value);
  if (sqlite3_bind_text64(statement, 1, key.data(), key.size(), SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK ||
      // A null pointer would bind NULL; an empty value is a value.
      sqlite3_bind_blob64(statement, 2, value.empty() ? "" : value.data(), value.size(), SQLITE_STATIC) != SQLITE_OK ||
      sqlite3_bind_text64(statement, 3, hash.data(), hash.size(), SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
    state_->FailSqlite("write");
  const int step = sqlite3_step(statement);
  sqlite3_reset(statement);
  if (step != SQLITE_DONE) state_->FailSqlite("write");
}

int64_t ResultCache::Size() {
  std::lock_guard lock(state_->mutex);
  sqlite3_stmt* statement = state_->size.get();
  const int step = sqlite3_step(statement);
  const int64_t count = step == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_reset(statement);
  if (step != SQLITE_ROW) state_->FailSqlite("read");
  return count;
}

void ResultCache::Clear() {
  std::lock_guard lock(state_->mutex);
  state_->Execute("DELETE FROM answer", "empty");
  state_->Execute("VACUUM", "shrink");
  // What is in the log goes to the file, unless another process reads it just now.
  sqlite3_exec(state_->database.get(), "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr);
}

}  // namespace assay

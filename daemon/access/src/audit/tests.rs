//! The log over its files: what a power cut, a full disk, somebody who tampers and a wrong clock leave of it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use state::State;
use tempfile::TempDir;

use super::*;

const NOW: i64 = 1_790_000_000;

struct Place {
    folder: TempDir,
    now: Arc<AtomicI64>,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), now: Arc::new(NOW.into()) }
    }

    fn open(&self) -> Audit {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Audit, AuditError> {
        let now = Arc::clone(&self.now);
        let clock = Clock::of(move || now.load(Ordering::Relaxed));
        let state = State::open(self.folder.path(), clock.clone()).unwrap();
        Audit::open(state, clock, &self.folder.path().join("audit"))
    }

    /// With so small files that each holds two entries, or three.
    fn open_small(&self, most_files: usize) -> Audit {
        let audit = self.open();
        lock(&audit.written).log.limit_for_test(600, most_files);
        audit
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(self.folder.path().join("audit"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.retain(|path| !path.ends_with("reserve") && !path.ends_with(".lock"));
        files.sort();
        files
    }

    fn text(&self) -> String {
        let files = self.files();
        let logs = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        logs.map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    /// Writes other text in place of the only file's.
    fn tamper(&self, with: impl FnOnce(Vec<&str>) -> Vec<String>) {
        let [file] = &self.files()[..] else { panic!("{:?}", self.files()) };
        let text = fs::read_to_string(file).unwrap();
        fs::write(file, with(text.split_inclusive('\n').collect()).concat()).unwrap();
    }
}

fn record(audit: &Audit, target: &str) {
    let event =
        Event { who: "operator", from: None, action: Action::KeyMake, target, outcome: Outcome::Done };
    audit.record(&event).unwrap();
}

fn record_all(audit: &Audit, count: usize) {
    (1..=count).for_each(|number| record(audit, &format!("key_{number}")));
}

fn entries(audit: &Audit, after: u64) -> Vec<Entry> {
    audit.entries(after).unwrap().map(|line| Entry::parse(&line.unwrap()).unwrap()).collect()
}

fn newest(audit: &Audit, before: Option<u64>) -> Vec<u64> {
    audit.newest(before).map(|entry| entry.unwrap().unwrap().seq).collect()
}

fn report(audit: &Audit) -> Report {
    let entries = audit.entries(0).unwrap();
    let ends = entries.ends();
    verify(entries, Some(ends)).unwrap()
}

fn findings(audit: &Audit) -> Vec<Finding> {
    report(audit).findings
}

fn owned(lines: Vec<&str>) -> Vec<String> {
    lines.into_iter().map(Into::into).collect()
}

#[test]
fn what_is_written_is_read_back_and_is_whole_over_restarts() {
    let place = Place::new();
    record_all(&place.open(), 3);
    let audit = place.open();
    record_all(&audit, 2);

    let report = report(&audit);

    assert!(
        report.is_whole() && report.entries == 5 && report.first == 1 && report.last.seq == 5,
        "{report:?}"
    );
    assert_eq!(entries(&audit, 3).iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(entries(&audit, 0)[0].time, "2026-09-21T14:13:20Z");
    assert_eq!(entries(&audit, 5), []);
}

#[test]
fn two_do_not_write_it_at_once() {
    let place = Place::new();
    let audit = place.open();

    assert!(matches!(place.try_open(), Err(AuditError::InUse { .. })));
    drop(audit);
    assert!(place.try_open().is_ok());
}

#[test]
fn a_changed_byte_is_found() {
    let place = Place::new();
    record_all(&place.open(), 4);

    place.tamper(|lines| owned(lines).into_iter().map(|line| line.replace("key_2", "key_9")).collect());

    let changed = Finding::Line { line: 2, what: InvalidEntry::Changed };
    assert_eq!(findings(&place.open()), [changed]);
}

#[test]
fn an_entry_that_was_made_anew_with_its_own_hash_is_found() {
    let place = Place::new();
    record_all(&place.open(), 4);

    place.tamper(|lines| {
        let real = Entry::parse(lines[1].trim_end()).unwrap();
        let event = Event {
            who: "operator",
            from: None,
            action: Action::KeyMake,
            target: "key_9",
            outcome: Outcome::Done,
        };
        let before = Entry::parse(lines[0].trim_end()).unwrap().position();
        let forged = Entry::after(before, real.time, &event).line() + "\n";
        vec![lines[0].into(), forged, lines[2].into(), lines[3].into()]
    });

    assert_eq!(findings(&place.open()), [Finding::Unbound { seq: 3 }]);
}

#[test]
fn a_removed_line_and_two_in_another_order_are_found() {
    let place = Place::new();
    record_all(&place.open(), 4);
    place.tamper(|lines| owned(vec![lines[0], lines[2], lines[3]]));
    assert_eq!(findings(&place.open()), [Finding::Missing { from: 2, to: 2 }]);

    let place = Place::new();
    record_all(&place.open(), 4);
    place.tamper(|lines| owned(vec![lines[0], lines[2], lines[1], lines[3]]));
    assert_eq!(
        findings(&place.open()),
        [
            Finding::Missing { from: 2, to: 2 },
            Finding::Order { seq: 2, expected: 4 },
            Finding::Missing { from: 3, to: 3 }
        ]
    );
}

#[test]
fn a_tail_that_was_cut_off_is_told_at_the_start_and_stays_missing() {
    let place = Place::new();
    record_all(&place.open(), 5);
    place.tamper(|lines| owned(lines[..3].to_vec()));

    let audit = place.open();
    record(&audit, "later");

    let told = &entries(&audit, 0)[3];
    assert_eq!(
        (told.action, told.target.as_str(), told.seq),
        (Action::AuditBroken, "entries 4 to 5 are missing", 6)
    );
    assert_eq!(findings(&audit), [Finding::Missing { from: 4, to: 5 }]);
    // And it is told once.
    drop(audit);
    assert_eq!(entries(&place.open(), 5).len(), 2);
    assert_eq!(findings(&place.open()), [Finding::Missing { from: 4, to: 5 }]);
}

#[test]
fn what_is_cut_off_while_the_box_runs_is_missed_by_a_check() {
    for left in [0, 2] {
        let place = Place::new();
        let audit = place.open();
        record_all(&audit, 3);
        place.tamper(|lines| owned(lines[..left].to_vec()));

        let from = left as u64 + 1;
        assert_eq!(findings(&audit), [Finding::Missing { from, to: 3 }]);
    }
    let place = Place::new();
    let audit = place.open();
    record_all(&audit, 3);
    let entries = audit.entries(0).unwrap();
    let mut ends = entries.ends();
    ends.last.hash = AuditHash([7; 32]);
    let report = verify(entries, Some(ends)).unwrap();
    assert_eq!(report.findings, [Finding::OtherEnd { seq: 3 }]);
}

#[test]
fn a_tail_that_was_written_anew_is_told() {
    let place = Place::new();
    record_all(&place.open(), 3);
    place.tamper(|lines| {
        let first = Entry::parse(lines[0].trim_end()).unwrap();
        let mut forged = vec![lines[0].to_owned()];
        let mut before = first.position();
        for _ in 0..4 {
            let event =
                Event { who: "hob", from: None, action: Action::Start, target: "", outcome: Outcome::Done };
            let entry = Entry::after(before, first.time.clone(), &event);
            before = entry.position();
            forged.push(entry.line() + "\n");
        }
        forged
    });

    let audit = place.open();

    assert_eq!(entries(&audit, 5).last().unwrap().action, Action::AuditBroken);
    assert_eq!(findings(&audit), [Finding::Unbound { seq: 6 }]);
}

#[test]
fn a_removed_file_is_missed_wherever_it_was() {
    for which in [0, 1, usize::MAX] {
        let place = Place::new();
        record_all(&place.open_small(64), 12);
        let files = place.files();
        assert!(files.len() >= 4, "{files:?}");
        fs::remove_file(&files[which.min(files.len() - 1)]).unwrap();

        let found = findings(&place.open());

        assert!(matches!(found[..], [Finding::Missing { .. }]), "{which}: {found:?}");
    }
    let place = Place::new();
    record_all(&place.open(), 3);
    fs::remove_file(&place.files()[0]).unwrap();
    assert_eq!(findings(&place.open()), [Finding::Missing { from: 1, to: 3 }], "all of it");
}

#[test]
fn a_line_that_was_not_written_whole_is_put_aside_and_no_alarm() {
    for torn in [&b"{\"seq\":4,\"time\":\"2026"[..], &[0; 700], b"{\"seq\":4}\n"] {
        let place = Place::new();
        record_all(&place.open(), 3);
        let file = place.files().remove(0);
        let mut bytes = fs::read(&file).unwrap();
        bytes.extend_from_slice(torn);
        fs::write(&file, bytes).unwrap();

        let audit = place.open();
        record(&audit, "later");

        assert_eq!(findings(&audit), []);
        let told = &entries(&audit, 3)[0];
        assert_eq!(told.action, Action::AuditTorn);
        assert_eq!(fs::read(place.folder.path().join("audit/torn-after-0000000003.part")).unwrap(), torn);
        assert_eq!(entries(&audit, 4)[0].target, "later");
    }
}

#[test]
fn an_entry_that_the_state_did_not_come_to_know_of_counts() {
    let place = Place::new();
    let audit = place.open();
    record_all(&audit, 2);
    let ends = audit.entries(0).unwrap().ends();
    record(&audit, "the power goes after this");
    audit.state.keep_audit_ends(&ends).unwrap();
    drop(audit);

    let audit = place.open();
    record(&audit, "later");

    assert_eq!(findings(&audit), []);
    assert_eq!(entries(&audit, 0).len(), 4);
}

#[test]
fn files_follow_each_other_and_the_oldest_go_but_are_not_missed() {
    let place = Place::new();
    let audit = place.open_small(3);
    record_all(&audit, 40);

    let report = report(&audit);
    assert!(report.is_whole(), "{report:?}");
    assert!(place.files().len() <= 3, "{:?}", place.files());
    assert!(report.first > 20 && report.entries < 12, "{report:?}");
    assert!(place.text().contains("\"audit.forget\""), "{}", place.text());
    drop(audit);
    let audit = place.open();
    record(&audit, "later");
    assert_eq!(findings(&audit), []);
    // One more that somebody removes is.
    fs::remove_file(&place.files()[0]).unwrap();
    assert!(matches!(findings(&audit)[..], [Finding::Missing { .. }]));
}

#[test]
fn a_file_that_was_to_be_removed_when_the_power_went_goes_at_the_next_start() {
    let place = Place::new();
    let audit = place.open_small(3);
    record_all(&audit, 7);
    let oldest = place.files().remove(0);
    let kept = fs::read(&oldest).unwrap();
    while oldest.exists() {
        record(&audit, "more");
    }
    fs::write(&oldest, kept).unwrap();
    drop(audit);

    let audit = place.open();

    assert!(!oldest.exists());
    assert_eq!(findings(&audit), []);
}

#[test]
fn by_a_clock_at_1970_or_set_back_the_chain_goes_on() {
    let place = Place::new();
    let audit = place.open();
    for now in [0, NOW, NOW - 1_000_000, i64::MAX] {
        place.now.store(now, Ordering::Relaxed);
        record(&audit, "whenever");
    }

    assert_eq!(findings(&audit), []);
    assert_eq!(entries(&audit, 0)[0].time, "1970-01-01T00:00:00Z");
}

#[test]
fn what_cannot_be_written_is_not_done_and_the_next_is_whole() {
    let place = Place::new();
    let audit = place.open();
    record_all(&audit, 2);
    let file = place.files().remove(0);
    audit.break_for_test();
    let event =
        Event { who: "operator", from: None, action: Action::KeyMake, target: "", outcome: Outcome::Done };

    let refused = audit.around(&event, || -> Result<(), AuditError> { panic!("it is not written down") });

    assert!(refused.unwrap_err().to_string().contains("nothing is changed"));
    lock(&audit.written)
        .log
        .write_to_for_test(fs::OpenOptions::new().read(true).write(true).open(&file).unwrap());
    record(&audit, "later");
    assert_eq!(findings(&audit), []);
    assert_eq!(entries(&audit, 0).len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_the_room_that_was_kept_is_given_up() {
    let place = Place::new();
    let audit = place.open();
    record_all(&audit, 1);
    let reserve = place.folder.path().join("audit/reserve");
    assert_eq!(fs::metadata(&reserve).unwrap().len(), 1 << 20);

    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    lock(&audit.written).log.write_to_for_test(full);
    let event =
        Event { who: "operator", from: None, action: Action::Stop, target: "", outcome: Outcome::Done };
    let error = audit.record(&event).unwrap_err();

    assert!(matches!(&error, AuditError::Io { action: "write", .. }), "{error:?}");
    assert!(!reserve.exists());
    drop(audit);
    place.open();
    assert!(reserve.exists(), "there is room again");
}

#[test]
fn what_was_written_and_then_failed_says_so() {
    let place = Place::new();
    let audit = place.open();
    let event = Event {
        who: "operator",
        from: None,
        action: Action::KeyRevoke,
        target: "key_1",
        outcome: Outcome::Done,
    };

    let failed = audit.around(&event, || Err::<(), _>(AuditError::from(StateError::PreviousGone)));

    assert!(failed.is_err());
    let outcomes: Vec<_> = entries(&audit, 0).iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Failed]);
}

#[test]
fn refusals_are_counted_and_told_when_their_minute_is_over() {
    let place = Place::new();
    let audit = place.open();
    let refused = Event {
        who: "nobody",
        from: Some([192, 168, 1, 7].into()),
        action: Action::Request,
        target: "POST /admin/api/keys",
        outcome: Outcome::Refused,
    };

    for _ in 0..1000 {
        audit.record(&refused).unwrap();
    }
    // A flood of requests hides no wrong password.
    audit.record(&Event { action: Action::SignIn, ..refused }).unwrap();
    place.now.fetch_add(60, Ordering::Relaxed);
    audit.flush().unwrap();
    audit.flush().unwrap();

    let written = entries(&audit, 0);
    assert_eq!(written.len(), 7, "{written:?}");
    assert_eq!(written[5].action, Action::SignIn);
    assert_eq!(written[6].target, "995 more in a minute, 995 of them from here");
}

#[cfg(unix)]
#[test]
fn nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    record_all(&place.open(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!((mode(&place.files()[0]), mode(&place.folder.path().join("audit"))), (0o600, 0o700));
}

#[test]
fn a_log_from_before_a_state_that_was_moved_away_goes_on() {
    let place = Place::new();
    record_all(&place.open(), 3);
    for file in fs::read_dir(place.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
    {
        fs::remove_file(file).unwrap();
    }

    let audit = place.open();
    record(&audit, "later");

    assert_eq!(findings(&audit), []);
    assert_eq!(entries(&audit, 0).len(), 4);
}

#[test]
fn the_newest_come_first_over_all_files_and_from_any_of_them_on() {
    let place = Place::new();
    let audit = place.open_small(8);
    record_all(&audit, 9);
    assert!(place.files().len() > 2);

    assert_eq!(newest(&audit, None), [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(newest(&audit, Some(6)), [5, 4, 3, 2, 1]);
    for before in 1..=10 {
        assert_eq!(newest(&audit, Some(before)).first().copied().unwrap_or(0), before - 1);
    }
    assert!(newest(&audit, Some(1)).is_empty());
}

#[test]
fn what_comes_while_somebody_reads_is_not_among_what_they_asked_for() {
    let place = Place::new();
    let audit = place.open();
    record_all(&audit, 2);

    let mut reading = audit.newest(None);
    record(&audit, "later");

    assert_eq!(reading.next().unwrap().unwrap().unwrap().seq, 2);
}

#[test]
fn a_line_that_somebody_changed_is_told_as_that_and_hides_no_other() {
    let place = Place::new();
    let audit = place.open();
    record_all(&audit, 3);
    place.tamper(|lines| owned(vec![lines[0], &lines[1].replace("key_2", "key_9"), lines[2]]));

    let read: Vec<_> = audit.newest(None).map(|entry| entry.unwrap().map(|entry| entry.seq)).collect();
    assert_eq!(read, [Ok(3), Err(InvalidEntry::Changed), Ok(1)]);
}

#[tokio::test]
async fn whoever_follows_is_told_when_something_was_written() {
    let place = Place::new();
    let audit = place.open();
    record(&audit, "before");
    let mut last = audit.follow();
    assert_eq!(*last.borrow_and_update(), 1);

    record(&audit, "after");
    last.changed().await.unwrap();
    assert_eq!(*last.borrow(), 2);
}

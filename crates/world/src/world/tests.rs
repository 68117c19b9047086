use jiff::SignedDuration;
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::policy::EvidenceRule;
use reprise_model::webhook;

use super::*;
use crate::ec2::{
    Call, CarriedOut, EndReason, Interruption, InterruptionAction, InterruptionCause,
};
use crate::fate::{Fate, Stroke};
use crate::github::{JobSpec, RunSpec, RunnerState, StartError};
use crate::machine::{Activity, RunnerStart, SignKind, WhenTaken};
use crate::scenario;
use crate::story::Tale;
use crate::testbed::{self, TinyController, at, launch, start, world};

fn labels() -> Vec<String> {
    vec!["runs-on=1-test/spot=true".to_owned()]
}

fn push(world: &mut World, seconds: i64) -> RunId {
    let repository = "acme/shop".parse().expect("a repository");
    let spec = RunSpec::new(repository, vec![JobSpec::new("test", labels())]);
    world.github_mut(at(seconds)).push(at(seconds), spec)
}

/// A world whose only job began to run at second 30, with its machine.
fn working(settings: WorldSettings, capacity: Capacity) -> (World, RunId, InstanceId) {
    let mut world = World::new(settings).expect("a world");
    let run = push(&mut world, 0);
    launch(&mut world, at(0), &labels(), capacity, "reprise");
    world.advance(at(30));
    let machine = world.machines().next().expect("a machine");
    assert_eq!(machine.activity, Activity::Working);
    let id = machine.id.clone();
    (world, run, id)
}

fn conclusion(world: &World, run: RunId) -> Option<Conclusion> {
    world.github().run(run)?.current().conclusion.clone()
}

fn completed_at(world: &World, run: RunId) -> Option<Timestamp> {
    let run = world.github().run(run)?;
    run.current().jobs.values().next()?.completed_at
}

fn fated(fate: Fate) -> WorldSettings {
    WorldSettings {
        usual_fate: fate,
        ..testbed::settings()
    }
}

fn interrupted() -> WorldSettings {
    fated(Fate::interrupted(SignedDuration::from_secs(10)))
}

#[test]
fn an_instance_boots_registers_takes_one_job_and_waits_to_be_ended() {
    let (mut world, run, id) = working(testbed::settings(), Capacity::Spot);
    push(&mut world, 40);
    world.advance(at(3_000));
    assert_eq!(conclusion(&world, run), Some(Conclusion::Success));
    assert_eq!(completed_at(&world, run), Some(at(90)));
    let machine = world.machine(&id).expect("remembered");
    assert_eq!(machine.activity, Activity::Done);
    assert_eq!(
        world.github().queued_jobs(None).len(),
        1,
        "the second job has no machine"
    );
    assert!(world.ec2().instance(&id).expect("there").is_up());
}

#[test]
fn runners_that_never_come_up_do_so_only_until_they_are_told_to() {
    let mut settings = testbed::settings();
    settings.machines.never_come_up = 1_000;
    let mut world = World::new(settings).expect("a world");
    let run = push(&mut world, 0);
    launch(&mut world, at(0), &labels(), Capacity::Spot, "reprise");
    world.advance(at(300));
    assert_eq!(world.github().queued_jobs(None).len(), 1);
    world.runners_come_up();
    launch(&mut world, at(300), &labels(), Capacity::Spot, "reprise");
    world.advance(at(600));
    assert_eq!(conclusion(&world, run), Some(Conclusion::Success));
}

#[test]
fn the_runners_name_carries_the_instance_id() {
    let (world, _, id) = working(testbed::settings(), Capacity::Spot);
    let runner = world.machine(&id).expect("a machine").runner.to_string();
    let suffix = runner
        .strip_prefix(&format!("reprise--{id}--"))
        .expect("the id");
    assert_eq!(suffix.len(), 5);
}

#[test]
fn everything_happens_at_its_own_time_however_rarely_one_looks() {
    let told = |looks: &[i64]| {
        let (mut world, _, _) = working(interrupted(), Capacity::Spot);
        for look in looks {
            world.advance(at(*look));
        }
        world.take_story()
    };
    let every_second: Vec<i64> = (30..400).collect();
    assert_eq!(told(&[400]), told(&every_second));
}

#[test]
fn a_taken_instance_fails_its_job_three_seconds_after_its_notice_ran_out() {
    let (mut world, run, id) = working(interrupted(), Capacity::Spot);
    world.advance(at(400));
    assert_eq!(completed_at(&world, run), Some(at(30 + 10 + 120 + 3)));
    assert_eq!(conclusion(&world, run), Some(Conclusion::Failure));
    let machine = world.machine(&id).expect("remembered");
    assert_eq!(machine.notice_at, Some(at(40)));
    assert_eq!(machine.ending, Some((at(160), EndReason::SpotTermination)));
    assert_eq!(machine.activity, Activity::Gone);
}

#[test]
fn the_same_fate_passes_on_demand() {
    let (mut world, run, _) = working(interrupted(), Capacity::OnDemand);
    world.advance(at(600));
    assert_eq!(conclusion(&world, run), Some(Conclusion::Success));
}

#[test]
fn a_taken_job_may_end_cancelled_or_only_when_its_lease_does() {
    for (when_taken, ends, seconds) in [
        (WhenTaken::IsCancelled, Conclusion::Cancelled, 163),
        (WhenTaken::IsLost, Conclusion::Failure, 160 + 600),
    ] {
        let mut settings = interrupted();
        settings.machines.when_taken = when_taken;
        let (mut world, run, _) = working(settings, Capacity::Spot);
        world.advance(at(2_000));
        assert_eq!(conclusion(&world, run), Some(ends), "{when_taken:?}");
        assert_eq!(
            completed_at(&world, run),
            Some(at(seconds)),
            "{when_taken:?}"
        );
    }
}

#[test]
fn a_termination_by_api_or_a_dead_host_loses_the_job_without_a_word() {
    let (mut by_api, run, id) = working(testbed::settings(), Capacity::Spot);
    by_api.instance_gone(at(50), &id).expect("known");
    by_api.advance(at(2_000));
    assert_eq!(completed_at(&by_api, run), Some(at(50 + 600)));
    let termination = &by_api.terminations()[0];
    assert!(termination.ours && termination.running.is_some());

    let (mut dead, run, id) = working(testbed::settings(), Capacity::Spot);
    dead.ec2_mut(at(50)).host_dies(at(50), &id).expect("alive");
    dead.advance(at(2_000));
    assert_eq!(completed_at(&dead, run), Some(at(50 + 600)));
    assert!(dead.terminations().is_empty());
}

#[test]
fn a_cancelled_job_is_stopped_by_its_runner_within_seconds() {
    let (mut world, run, id) = working(testbed::settings(), Capacity::Spot);
    world.github_mut(at(40)).cancel_run(at(40), run, "mona");
    world.advance(at(100));
    assert_eq!(conclusion(&world, run), Some(Conclusion::Cancelled));
    assert_eq!(completed_at(&world, run), Some(at(45)));
    assert_eq!(world.machine(&id).expect("there").activity, Activity::Done);
}

#[test]
fn a_runner_that_is_too_slow_to_stop_hears_that_github_ended_its_job() {
    let mut settings = testbed::settings();
    settings.machines.stops_in = SignedDuration::from_secs(30);
    let (mut world, run, id) = working(settings, Capacity::Spot);
    world.github_mut(at(40)).cancel_run(at(40), run, "mona");
    world.advance(at(55));
    assert_eq!(completed_at(&world, run), Some(at(50)));
    assert_eq!(world.machine(&id).expect("there").activity, Activity::Done);
}

#[test]
fn a_stopped_machine_that_comes_back_before_it_had_a_job_registers() {
    let mut world = world();
    launch(&mut world, at(0), &labels(), Capacity::Spot, "reprise");
    world.advance(at(40));
    let id = world.machines().next().expect("a machine").id.clone();
    let stop = Interruption {
        action: InterruptionAction::Stop,
        cause: InterruptionCause::Price,
        notice: None,
        carried_out: CarriedOut::AtItsTime,
    };
    world
        .ec2_mut(at(40))
        .interrupt(at(40), &id, stop)
        .expect("spot");
    world.advance(at(100));
    assert_eq!(world.machine(&id).expect("there").activity, Activity::Gone);
    world
        .ec2_mut(at(100))
        .resume(at(100), &id)
        .expect("stopped");
    world.advance(at(200));
    let machine = world.machine(&id).expect("there");
    assert_eq!((machine.activity, machine.ending), (Activity::Idle, None));
}

#[test]
fn an_adopted_instance_boots_like_others_and_goes_like_others() {
    let mut world = world();
    let run = push(&mut world, 0);
    let id: InstanceId = "i-0123456789abcdef0".parse().expect("an id");
    let keys = world.settings().tags.clone();
    let adopted = Adopted {
        id: id.clone(),
        instance_type: "c7a.large".to_owned(),
        zone: "eu-west-1a".to_owned(),
        capacity: Capacity::OnDemand,
        tags: BTreeMap::from([(keys.labels(), labels().join(" "))]),
        role: None,
    };
    world.adopt(at(5), adopted);
    world.advance(at(200));
    assert_eq!(completed_at(&world, run), Some(at(5 + 10 + 60)));
    world.instance_gone(at(200), &id).expect("known");
    world.advance(at(300));
    assert_eq!(world.machine(&id).expect("there").activity, Activity::Gone);
    assert!(!world.terminations()[0].ours, "it lacks the stack's tag");
}

#[test]
fn a_webhook_is_queued_signed_and_with_its_names() {
    let mut world = world();
    let run = push(&mut world, 0);
    world.advance(at(0));
    let received = world
        .sqs_mut(at(0))
        .receive(at(0), "webhooks", 10, None)
        .expect("a queue");
    let names: Vec<&String> = received[0].attributes.keys().collect();
    assert_eq!(
        names,
        ["X-GitHub-Delivery", "X-GitHub-Event", "X-Hub-Signature-256"]
    );
    assert!(
        received
            .iter()
            .any(|message| message.body.contains(&run.to_string()))
    );
    let bodies = received.iter().map(|message| message.body.as_bytes());
    let jobs = bodies.filter(|body| webhook::parse("workflow_job", body).is_ok());
    assert!(jobs.count() >= 1);
}

#[test]
fn ec2_events_have_a_queue_of_their_own() {
    let (mut world, _, id) = working(interrupted(), Capacity::Spot);
    world.advance(at(40));
    let received = world
        .sqs_mut(at(40))
        .receive(at(40), "ec2-events", 10, None)
        .expect("a queue");
    let warning = received
        .iter()
        .find(|message| message.body.contains("Interruption Warning"));
    let event =
        reprise_model::ec2_event::parse(warning.expect("sent").body.as_bytes()).expect("valid");
    assert_eq!(event.time, at(40));
    assert!(format!("{:?}", event.kind).contains(id.as_str()));
}

#[test]
fn messages_can_be_carried_elsewhere_instead() {
    let settings = WorldSettings {
        delivery: DeliveryMode::Elsewhere,
        ..interrupted()
    };
    let (mut world, _, _) = working(settings, Capacity::Spot);
    world.advance(at(400));
    let outgoing = world.take_outgoing();
    assert!(world.is_queue_empty(Queue::Webhooks) && world.is_queue_empty(Queue::Ec2Events));
    let webhooks = outgoing.iter().filter(|one| one.queue == Queue::Webhooks);
    assert!(webhooks.clone().count() >= 6);
    assert!(webhooks.clone().all(|one| one.attributes.len() == 3));
    assert!(outgoing.iter().any(|one| one.queue == Queue::Ec2Events));
    assert_eq!(world.take_outgoing(), []);
}

#[test]
fn labels_carry_the_id_of_their_own_run() {
    let mut world = world();
    world.play(start(), &scenario::find("all").expect("listed"));
    world.advance(at(60));
    for run in world.github().runs() {
        for job in run.current().jobs.values() {
            let id = format!("runs-on={}-{}/", run.id, job.name);
            assert!(job.labels[0].starts_with(&id), "{:?}", job.labels);
        }
    }
    let pushed: Vec<_> = world
        .planned()
        .iter()
        .filter_map(|planned| planned.run)
        .collect();
    assert_eq!(pushed.len(), 4);
}

#[test]
fn the_interrupted_run_is_still_active_when_its_job_has_failed() {
    let mut world = world();
    world.play(start(), &scenario::find("interrupted").expect("listed"));
    let mut controller = TinyController::new(&mut world);
    controller.reruns = false;
    while !world
        .github()
        .runs()
        .flat_map(|run| run.executions("e2e"))
        .any(|job| job.is_completed())
    {
        let now = world.now() + SignedDuration::from_secs(1);
        world.advance(now);
        controller.step(&mut world, now);
    }
    let run = world.github().runs().next().expect("a run");
    let e2e = run.executions("e2e").next().expect("a job").id;
    let repository = run.spec.repository.clone();
    let now = world.now();
    let status = controller.call(
        &mut world,
        now,
        "POST",
        &repository,
        &format!("jobs/{e2e}/rerun"),
    );
    assert_eq!(status, 403, "the run is already running");
}

#[test]
fn the_story_tells_an_interruption_and_its_re_run_in_order() {
    let mut world = testbed::played(&scenario::find("interrupted").expect("listed"));
    let story = world.take_story();
    assert!(story.is_sorted_by_key(|told| told.at));
    let place = |wanted: &dyn Fn(&Tale) -> bool| story.iter().position(|told| wanted(&told.what));
    let notice = place(&|tale| {
        matches!(tale, Tale::Notice { instance, .. }
        if instance.job.as_ref().is_some_and(|job| job.name == "e2e"))
    });
    let failed = place(&|tale| {
        matches!(tale, Tale::JobCompleted { job, conclusion, .. }
        if job.name == "e2e" && *conclusion == Conclusion::Failure)
    });
    let rerun = place(&|tale| {
        matches!(tale, Tale::RerunAccepted { run, by, .. }
        if run.attempt.get() == 2 && by == "reprise[bot]")
    });
    let recovered = place(&|tale| {
        matches!(tale, Tale::JobStarted { instance: Some(instance), .. }
        if instance.capacity == Capacity::OnDemand)
    });
    let order = [notice, failed, rerun, recovered];
    assert!(
        order.iter().all(Option::is_some) && order.is_sorted(),
        "{order:?}"
    );
    assert_eq!(world.take_story(), []);
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let story = || testbed::played(&scenario::find("all").expect("listed")).take_story();
    assert_eq!(story(), story());
}

#[test]
fn time_does_not_run_backwards() {
    let mut world = world();
    world.advance(at(100));
    world.advance(at(50));
    assert_eq!(world.now(), at(100));
}

fn struck_by(stroke: Stroke) -> WorldSettings {
    fated(Fate::interrupted(SignedDuration::from_secs(10)).by(stroke))
}

#[test]
fn a_fate_may_be_a_dying_host_or_one_that_powers_off_also_on_demand() {
    for (stroke, ended, reason) in [
        (Stroke::HostDies, 40 + 600, EndReason::HostFailure),
        (Stroke::PowersOff, 43, EndReason::FromInside),
    ] {
        let (mut world, run, id) = working(struck_by(stroke), Capacity::OnDemand);
        world.advance(at(2_000));
        assert_eq!(completed_at(&world, run), Some(at(ended)), "{stroke:?}");
        let machine = world.machine(&id).expect("remembered");
        assert_eq!(machine.ending, Some((at(40), reason)));
        assert_eq!(machine.signs, [], "nothing speaks for an interruption");
    }
}

#[test]
fn a_stopped_machine_comes_back_without_its_notice_and_takes_no_second_job() {
    let interruption = Interruption {
        action: InterruptionAction::Stop,
        cause: InterruptionCause::NoCapacity,
        notice: Some(SignedDuration::from_secs(120)),
        carried_out: CarriedOut::AtItsTime,
    };
    let stop = Stroke::Interruption {
        interruption,
        resumes_after: Some(SignedDuration::from_mins(5)),
    };
    let (mut world, run, id) = working(struck_by(stop), Capacity::Spot);
    push(&mut world, 50);
    world.advance(at(400));
    assert_eq!(completed_at(&world, run), Some(at(163)));
    world.advance(at(160 + 30 + 300 + 20));
    let machine = world.machine(&id).expect("remembered");
    assert_eq!((machine.activity, machine.boots), (Activity::Done, 2));
    assert_eq!(machine.notice_at, None);
    let kinds: Vec<SignKind> = machine.signs.iter().map(|sign| sign.kind).collect();
    assert_eq!(kinds, [SignKind::Notice, SignKind::Taken]);
    assert!(world.ec2().instance(&id).expect("there").is_up());
    assert_eq!(world.github().queued_jobs(None).len(), 1);
}

#[test]
fn a_job_may_put_the_tag_on_its_own_instance_and_end_as_it_would() {
    let fate = Fate {
        forges_after: Some(SignedDuration::from_secs(5)),
        ..Fate::fails(SignedDuration::from_secs(60))
    };
    let (mut world, run, id) = working(fated(fate), Capacity::Spot);
    world.advance(at(200));
    assert_eq!(completed_at(&world, run), Some(at(90)));
    let tags = world.ec2().instance(&id).expect("there").tags();
    let key = world.settings().tags.interrupted();
    assert_eq!(tags.get(&key).map(String::as_str), Some("true"));
    let machine = world.machine(&id).expect("there");
    assert!(machine.was_tagged_by(at(35)) && !machine.was_tagged_by(at(34)));
    assert_eq!(machine.was_taken_during(at(0), at(200)), None);
}

#[test]
fn a_job_whose_host_is_gone_may_never_be_ended() {
    let fate = Fate {
        when_taken: Some(WhenTaken::IsNeverEnded),
        ..Fate::interrupted(SignedDuration::from_secs(10))
    };
    let (mut world, run, _) = working(fated(fate), Capacity::Spot);
    world.advance(at(100_000));
    assert_eq!(completed_at(&world, run), None);
    let run = world.github().run(run).expect("a run");
    assert!(run.is_active() && crate::invariants::is_stuck(&world, run));
}

#[test]
fn a_tag_and_a_state_reason_explain_an_end_whenever_they_are_seen_a_notice_only_near_it() {
    let (mut world, _, id) = working(interrupted(), Capacity::Spot);
    world.advance(at(400));
    let machine = world.machine(&id).expect("there").clone();
    let signs = |kind| {
        let mut one = machine.clone();
        one.signs.retain(|sign| sign.kind == kind);
        one
    };
    let notice = signs(SignKind::Notice);
    let explains =
        |started, ended| notice.may_explain((at(started), at(ended)), at(400), EvidenceRule::Claim);
    assert!(explains(30, 163) && explains(165, 170) && explains(0, 9));
    assert!(
        !explains(166, 170),
        "more than two minutes and five seconds before the start"
    );
    assert!(!explains(0, 8), "more than half a minute after the end");
    assert!(
        explains(30, 941) && !explains(30, 942),
        "the job survived it"
    );
    let taken = signs(SignKind::Taken);
    assert!(taken.may_explain((at(0), at(1)), at(160), EvidenceRule::Proof));
    assert!(
        !taken.may_explain((at(0), at(1)), at(159), EvidenceRule::Claim),
        "nobody could know"
    );
}

#[test]
fn equal_names_have_fates_of_their_own_by_their_places() {
    let mut world = world();
    let job = |id: &str| {
        JobSpec::new(
            "test",
            [format!("runs-on={}-{id}", scenario::RUN_PLACEHOLDER)],
        )
    };
    let spec = RunSpec::new(
        "acme/shop".parse().expect("valid"),
        vec![job("a"), job("b")],
    );
    let seconds = SignedDuration::from_secs;
    let fates = vec![
        vec![Fate::passes(seconds(60))],
        vec![Fate::fails(seconds(90))],
    ];
    let run = world.push(at(0), &spec, fates);
    assert_eq!(world.nth_run(0), Some(run));
    for place in [0, 1] {
        let id = world.job_at(run, place).expect("queued");
        let labels = world.github().job(id).expect("a job").2.labels.clone();
        assert!(labels[0].contains(&run.to_string()), "{labels:?}");
        launch(&mut world, at(0), &labels, Capacity::Spot, "reprise");
    }
    world.advance(at(300));
    let ends = |place| {
        let id = world.job_at(run, place).expect("there");
        world.github().job(id).expect("a job").2.conclusion.clone()
    };
    assert_eq!(ends(0), Some(Conclusion::Success));
    assert_eq!(ends(1), Some(Conclusion::Failure));
    assert_ne!(world.instance_at(run, 0), world.instance_at(run, 1));
}

#[test]
fn people_cancel_and_re_run_by_the_places_of_jobs() {
    let (mut world, run, id) = working(testbed::settings(), Capacity::Spot);
    assert_eq!(world.instance_at(run, 0), Some(id));
    assert_eq!(
        world.person_reruns(at(31), run, ByHand::Job(0), "mona"),
        Err(crate::github::Refusal::RunOfJobActive)
    );
    assert!(world.person_cancels(at(40), run, "mona"));
    world.advance(at(60));
    let attempt = world.person_reruns(at(60), run, ByHand::FailedJobs, "mona");
    assert_eq!(attempt.map(|number| number.get()), Ok(2));
    assert!(
        world.github().mutations().is_empty(),
        "nothing came in over the API"
    );
    assert_eq!(world.job_at(run, 1), None);
}

#[test]
fn an_instance_is_struck_whatever_it_is_at() {
    let mut world = world();
    launch(&mut world, at(0), &labels(), Capacity::Spot, "reprise");
    let id = world.launches()[0].clone();
    world.strike_instance(at(5), &id, Stroke::HostDies);
    world.strike_instance(at(6), &id, Stroke::Usual);
    let machine = world.machine(&id).expect("there");
    assert_eq!(machine.ending, Some((at(5), EndReason::HostFailure)));
    assert_eq!(machine.notice_at, None, "it came too late");
}

#[test]
fn a_person_who_waits_for_a_run_acts_soon_after_it_has_ended_and_once() {
    let (mut world, run, _) = working(testbed::settings(), Capacity::Spot);
    let rerun = Deed::Rerun(ByHand::WholeRun);
    let soon = SignedDuration::from_secs(7);
    world.person_waits(run, When::RunCompletes, soon, rerun, "mona");
    world.advance(at(96));
    assert!(
        world
            .github()
            .run(run)
            .expect("there")
            .current()
            .number
            .is_first()
    );
    world.advance(at(97));
    let current = world.github().run(run).expect("there").current();
    assert_eq!((current.number.get(), current.started_at), (2, at(97)));
    launch(&mut world, at(97), &labels(), Capacity::Spot, "reprise");
    world.advance(at(1_000));
    let current = world.github().run(run).expect("there").current();
    assert_eq!(
        (current.number.get(), current.conclusion.clone()),
        (2, Some(Conclusion::Success))
    );
}

#[test]
fn a_person_may_cancel_a_run_when_an_instance_of_it_is_struck() {
    let (mut world, run, _) = working(interrupted(), Capacity::Spot);
    let soon = SignedDuration::from_secs(5);
    world.person_waits(run, When::InstanceIsStruck, soon, Deed::Cancel, "mona");
    world.advance(at(400));
    assert_eq!(conclusion(&world, run), Some(Conclusion::Cancelled));
    assert_eq!(completed_at(&world, run), Some(at(40 + 5 + 5)));
}

#[test]
fn a_shortage_ends_by_itself() {
    let mut world = world();
    world.shortage(at(0), crate::ec2::Pool::of(Capacity::Spot), at(60));
    launch(&mut world, at(1), &labels(), Capacity::Spot, "reprise");
    assert_eq!(world.launches().len(), 0);
    launch(&mut world, at(1), &labels(), Capacity::OnDemand, "reprise");
    assert_eq!(world.launches().len(), 1);
    launch(&mut world, at(60), &labels(), Capacity::Spot, "reprise");
    assert_eq!(world.launches().len(), 2);
}

/// A world whose only machine is up and has no runner yet, and a configuration for one.
fn without_runner() -> (World, InstanceId, String) {
    let mut settings = testbed::settings();
    settings.machines.runner = RunnerStart::JustInTime;
    settings.github.repositories = vec!["acme/shop".parse().expect("a repository")];
    let mut world = World::new(settings).expect("a world");
    launch(&mut world, at(0), &[], Capacity::Spot, "reprise");
    world.advance(at(60));
    let id = world.launches()[0].clone();
    let config = testbed::jit_config(&mut world, "reprise--i-0--one", &labels());
    (world, id, config)
}

#[test]
fn a_machine_without_a_runner_takes_no_job_until_it_starts_one_with_a_configuration() {
    let (mut world, id, config) = without_runner();
    let run = push(&mut world, 60);
    world.advance(at(100));
    assert_eq!(
        world.machine(&id).expect("there").activity,
        Activity::Booting
    );
    world.start_runner(at(100), &id, &config).expect("started");
    let machine = world.machine(&id).expect("there");
    assert_eq!(machine.activity, Activity::Working);
    assert_eq!(machine.runner.as_str(), "reprise--i-0--one");
    world.advance(at(1_000));
    assert_eq!(conclusion(&world, run), Some(Conclusion::Success));
}

#[test]
fn a_machine_starts_one_runner_with_a_configuration_of_github() {
    let (mut world, id, config) = without_runner();
    let unknown = world.start_runner(at(60), &id, "anything");
    assert_eq!(unknown, Err(RunnerError::Refused(StartError::Unknown)));
    world.start_runner(at(60), &id, &config).expect("started");
    let again = world.start_runner(at(61), &id, &config);
    assert_eq!(again, Err(RunnerError::HasOne(id)));
    launch(&mut world, at(62), &[], Capacity::Spot, "reprise");
    let other = world.launches()[1].clone();
    let early = world.start_runner(at(62), &other, &config);
    assert_eq!(early, Err(RunnerError::NoHost(other.clone())));
    let used = world.start_runner(at(120), &other, &config);
    assert_eq!(used, Err(RunnerError::Refused(StartError::Used)));
}

#[test]
fn an_idle_runner_is_offline_when_its_machine_is_gone() {
    let (mut world, id, config) = without_runner();
    world.start_runner(at(60), &id, &config).expect("started");
    let call = Call::by_account(at(70));
    let ended = world.ec2_mut(at(70)).terminate_instances(&call, &[id]);
    ended.expect("known");
    world.advance(at(70));
    let state = world.github().registrations().next().map(|one| one.state);
    assert_eq!(state, Some(RunnerState::Lost));
}

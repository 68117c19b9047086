use jiff::SignedDuration;
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::webhook;

use super::*;
use crate::ec2::EndReason;
use crate::fate::Fate;
use crate::github::{JobSpec, RunSpec};
use crate::machine::{Activity, WhenTaken};
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
    use crate::ec2::{Interruption, InterruptionAction, InterruptionCause};
    let mut world = world();
    launch(&mut world, at(0), &labels(), Capacity::Spot, "reprise");
    world.advance(at(40));
    let id = world.machines().next().expect("a machine").id.clone();
    let stop = Interruption {
        action: InterruptionAction::Stop,
        cause: InterruptionCause::Price,
        notice: None,
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

using Kvorum.Kv;

namespace Kvorum.Node.Tests;

/// <summary>When a lease is over, in ticks: 100 to a second, an election timeout of 50.</summary>
public class LeaseClockTests
{
    private const long Second = 100;
    private const long Election = 50;
    private const ulong Term = 7;

    private readonly LeaseClock _clock = new(Second, Election);

    [Fact]
    public void A_lease_ends_an_election_timeout_after_its_time_and_names_its_renewal()
    {
        Lead(from: 0);
        _clock.OnChanged(new LeaseChange(1, 2, RenewedAt: 11));
        Assert.Empty(Expired(at: (2 * Second) + Election - 1));
        Assert.Equal([new LeaseExpire(1, 11, Term)], Expired(at: (2 * Second) + Election));
    }

    [Fact]
    public void A_renewal_gives_it_its_whole_time_again()
    {
        Lead(from: 0);
        _clock.OnChanged(new LeaseChange(1, 2, RenewedAt: 11));
        Assert.Empty(Expired(at: 150));
        _clock.OnChanged(new LeaseChange(1, 2, RenewedAt: 12));
        Assert.Empty(Expired(at: 150 + (2 * Second) + Election - 1));
        Assert.Equal([new LeaseExpire(1, 12, Term)], Expired(at: 150 + (2 * Second) + Election));
    }

    [Fact]
    public void A_lease_that_is_gone_is_forgotten()
    {
        Lead(from: 0);
        _clock.OnChanged(new LeaseChange(1, 2, RenewedAt: 11));
        _clock.OnChanged(new LeaseChange(1, 0, RenewedAt: 11));
        Assert.Empty(Expired(at: 10_000));
        Assert.Equal(0, _clock.SecondsLeft(1));
    }

    [Fact]
    public void Etcd_7_11_who_does_not_lead_ends_nothing()
    {
        _clock.OnChanged(new LeaseChange(1, 2, RenewedAt: 11));
        Assert.Empty(Expired(at: 10_000, term: 0));
    }

    [Fact]
    public void Etcd_7_12_a_new_leader_knows_what_is_left_and_waits_an_election_timeout()
    {
        _clock.OnChanged(new LeaseChange(1, 2, RenewedAt: 11));
        Assert.Empty(Expired(at: 240, term: 0));
        Assert.Empty(Expired(at: 241));
        Assert.Empty(Expired(at: 241 + Election - 1));
        Assert.Single(Expired(at: 241 + Election));
    }

    [Fact]
    public void An_end_that_came_to_nothing_is_proposed_again_after_an_election_timeout()
    {
        Lead(from: 0);
        _clock.OnChanged(new LeaseChange(1, 1, RenewedAt: 11));
        Assert.Single(Expired(at: 150));
        Assert.Empty(Expired(at: 150 + Election - 1));
        Assert.Single(Expired(at: 150 + Election));
    }

    [Fact]
    public void What_ends_in_one_tick_is_limited_and_nothing_is_left_out()
    {
        Lead(from: 0);
        const int Leases = (2 * LeaseClock.ExpiredPerTickMax) + 10;
        for (var id = 1; id <= Leases; id++)
        {
            _clock.OnChanged(new LeaseChange(id, 1, RenewedAt: (ulong)id));
        }

        var ended = new HashSet<long>();
        for (var tick = 0; tick < 3; tick++)
        {
            var expired = Expired(at: 1_000 + tick);
            Assert.InRange(expired.Count, 1, LeaseClock.ExpiredPerTickMax);
            ended.UnionWith(expired.Select(lease => lease.Id));
        }

        Assert.Equal(Leases, ended.Count);
    }

    [Fact]
    public void The_time_left_is_told_in_whole_seconds_without_the_grace()
    {
        _clock.OnChanged(new LeaseChange(1, 3, RenewedAt: 11));
        Assert.Equal(3, _clock.SecondsLeft(1));
        Expired(at: 101, term: 0);
        Assert.Equal(1, _clock.SecondsLeft(1));
        Expired(at: 310, term: 0);
        Assert.Equal(0, _clock.SecondsLeft(1));
    }

    [Fact]
    public void A_restored_state_makes_all_before_it_void()
    {
        Lead(from: 0);
        _clock.OnChanged(new LeaseChange(1, 1, RenewedAt: 11));
        _clock.OnChanged(default);
        _clock.OnChanged(new LeaseChange(2, 1, RenewedAt: 12));
        Assert.Equal([new LeaseExpire(2, 12, Term)], Expired(at: 1_000));
    }

    [Fact]
    public void Renewals_without_end_do_not_grow_the_queue()
    {
        Lead(from: 0);
        for (var i = 1; i < 100_000; i++)
        {
            _clock.OnChanged(new LeaseChange(1, 1_000, RenewedAt: (ulong)i));
        }

        Assert.InRange(_clock.Queued, 1, 2_048);
    }

    private void Lead(long from)
    {
        Expired(at: from);
        Expired(at: from + Election); // It has led for an election timeout.
        _clock.Tick(from, Term, []);
    }

    private List<LeaseExpire> Expired(long at, ulong term = Term)
    {
        var expired = new List<LeaseExpire>();
        _clock.Tick(at, term, expired);
        return expired;
    }
}

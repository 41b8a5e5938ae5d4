using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

public class LeaseTests
{
    private static CommandResult Grant(TestMachine test, long id, long ttlSeconds = 10) =>
        test.Apply(new LeaseGrant(id, ttlSeconds));

    private static CommandResult Put(TestMachine test, string key, long lease, bool keepsLease = false) =>
        test.Apply(new Put(Bytes(key), Bytes("v")) { Lease = lease, KeepsLease = keepsLease });

    private static string[] Keys(TestMachine test, long lease)
    {
        var found = test.Machine.FindLease(lease, withKeys: true);
        Assert.NotNull(found);
        return [.. found.Keys.Select(System.Text.Encoding.UTF8.GetString)];
    }

    [Fact]
    public void Etcd_7_1_a_grant_uses_no_revision_and_an_id_is_granted_once()
    {
        using var test = new TestMachine();
        Assert.Equal(new CommandResult(CommandStatus.Ok, 1, 10), Grant(test, 7));
        Assert.Equal(CommandStatus.LeaseExists, Grant(test, 7).Status);
        Assert.Equal(1, test.Machine.LeaseCount);
    }

    [Fact]
    public void Etcd_3_5_a_put_on_an_unknown_lease_changes_nothing()
    {
        using var test = new TestMachine();
        Assert.Equal(new CommandResult(CommandStatus.LeaseNotFound, 1), Put(test, "a", lease: 9));
        Assert.Null(test.Row("a"));
    }

    [Fact]
    public void Etcd_4_13_a_transaction_with_a_put_on_an_unknown_lease_changes_nothing()
    {
        using var test = new TestMachine();
        TxnOperation[] puts =
        [
            new() { Put = new Put(Bytes("a"), Bytes("1")) },
            new() { Put = new Put(Bytes("b"), Bytes("1")) { Lease = 9 } },
        ];
        Assert.Equal(CommandStatus.LeaseNotFound, test.Apply(new Txn([], puts, [])).Status);
        Assert.Null(test.Row("a"));
    }

    [Fact]
    public void Etcd_7_8_a_revocation_deletes_the_keys_in_order_at_one_revision()
    {
        using var test = new TestMachine();
        Grant(test, 7);
        Put(test, "b", 7);
        Put(test, "a", 7);
        Put(test, "other", 0);
        Assert.Equal(["a", "b"], Keys(test, 7));

        Assert.Equal(new CommandResult(CommandStatus.Ok, 5, 2), test.Apply(new LeaseRevoke(7)));
        Assert.Null(test.Row("a"));
        Assert.Null(test.Row("b"));
        Assert.NotNull(test.Row("other"));
        Assert.Equal(CommandStatus.LeaseNotFound, test.Apply(new LeaseRevoke(7)).Status);
    }

    [Fact]
    public void A_revocation_without_keys_uses_no_revision()
    {
        using var test = new TestMachine();
        Grant(test, 7);
        Assert.Equal(new CommandResult(CommandStatus.Ok, 1, 0), test.Apply(new LeaseRevoke(7)));
    }

    [Fact]
    public void Etcd_3_6_a_put_moves_its_key_to_its_own_lease_or_off_all()
    {
        using var test = new TestMachine();
        Grant(test, 7);
        Grant(test, 8);
        Put(test, "a", 7);
        Put(test, "b", 7);
        Put(test, "a", 8);
        Put(test, "b", 0);
        Assert.Empty(Keys(test, 7));
        Assert.Equal(["a"], Keys(test, 8));

        test.Apply(new LeaseRevoke(7));
        Assert.NotNull(test.Row("a"));
    }

    [Fact]
    public void Etcd_3_4_a_put_that_keeps_the_lease_leaves_the_key_on_it()
    {
        using var test = new TestMachine();
        Grant(test, 7);
        Put(test, "a", 7);
        Assert.Equal(CommandStatus.Ok, Put(test, "a", 0, keepsLease: true).Status);
        Assert.Equal(7, test.Row("a")!.Lease);
        Assert.Equal(["a"], Keys(test, 7));
        Assert.Equal(CommandStatus.KeyNotFound, Put(test, "none", 0, keepsLease: true).Status);
    }

    [Fact]
    public void Etcd_3_3_a_put_that_keeps_the_value_writes_it_again()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        var result = test.Apply(new Put(Bytes("a"), default) { KeepsValue = true });
        Assert.Equal((CommandStatus.Ok, 3L), (result.Status, result.Revision));
        Assert.Equal(("1", 2L), (System.Text.Encoding.UTF8.GetString(test.Row("a")!.Value), test.Row("a")!.Version));
        Assert.Equal(
            CommandStatus.KeyNotFound, test.Apply(new Put(Bytes("none"), default) { KeepsValue = true }).Status);
    }

    [Fact]
    public void Etcd_3_8_a_deleted_key_is_off_its_lease()
    {
        using var test = new TestMachine();
        Grant(test, 7);
        Put(test, "a", 7);
        Put(test, "b", 7);
        test.Delete("a");
        Assert.Equal(["b"], Keys(test, 7));
        test.Apply(new DeleteRange(Bytes("a"), Bytes("z")));
        Assert.Empty(Keys(test, 7));
    }

    [Fact]
    public void Etcd_7_11_a_lease_that_was_renewed_since_does_not_expire()
    {
        using var test = new TestMachine();
        Grant(test, 7);
        var granted = test.Machine.FindLease(7, withKeys: false)!.RenewedAt;
        Assert.Equal(new CommandResult(CommandStatus.Ok, 1, 10), test.Apply(new LeaseRenew(7)));
        var renewed = test.Machine.FindLease(7, withKeys: false)!.RenewedAt;
        Assert.True(renewed > granted);

        var term = test.Term;
        Assert.Equal(CommandStatus.LeaseNotFound, test.Apply(new LeaseExpire(7, granted, term)).Status);
        Assert.Equal(CommandStatus.Ok, test.Apply(new LeaseExpire(7, renewed, term)).Status);
        Assert.Equal(0, test.Machine.LeaseCount);
    }

    [Fact]
    public void Etcd_7_11_the_end_of_a_lease_counts_in_the_term_of_the_leader_that_saw_it_only()
    {
        using var test = new TestMachine();
        Grant(test, 7);
        var granted = test.Machine.FindLease(7, withKeys: false)!.RenewedAt;
        var result = test.Apply(new LeaseExpire(7, granted, test.Term - 1));
        Assert.Equal(CommandStatus.LeaseNotFound, result.Status);
        Assert.Equal(1, test.Machine.LeaseCount);
    }

    [Fact]
    public void Etcd_7_3_an_unknown_lease_is_not_renewed()
    {
        using var test = new TestMachine();
        Assert.Equal(CommandStatus.LeaseNotFound, test.Apply(new LeaseRenew(7)).Status);
    }

    [Fact]
    public void There_are_no_more_leases_than_the_limit()
    {
        using var test = new TestMachine(new KvOptions { LeasesMax = 2 });
        Grant(test, 1);
        Grant(test, 2);
        Assert.Equal(CommandStatus.TooManyLeases, Grant(test, 3).Status);
    }

    [Fact]
    public void Leases_and_their_keys_survive_a_snapshot()
    {
        using var test = new TestMachine();
        Grant(test, 7, 20);
        Grant(test, 8, 30);
        Put(test, "a", 8);
        Put(test, "a", 7);
        Put(test, "gone", 7);
        test.Delete("gone");
        var copy = new TestMachine();
        copy.Machine.Restore(Source(test.Snapshot()));
        Assert.Equal([7L, 8L], copy.Machine.LeaseIds());
        Assert.Equal(["a"], Keys(copy, 7));
        Assert.Empty(Keys(copy, 8));
        Assert.Equal(
            test.Machine.FindLease(7, false)!.RenewedAt, copy.Machine.FindLease(7, false)!.RenewedAt);
    }

    [Fact]
    public void Who_follows_the_leases_hears_of_each_and_of_all_after_a_restore()
    {
        using var test = new TestMachine();
        Grant(test, 7);
        var heard = new List<LeaseChange>();
        test.Machine.FollowLeases(heard.Add);
        Grant(test, 8, 20);
        test.Apply(new LeaseRenew(7));
        test.Apply(new LeaseRevoke(8));
        Assert.Equal(
            [(0L, 0L), (7L, 10L), (8L, 20L), (7L, 10L), (8L, 0L)], heard.Select(lease => (lease.Id, lease.TtlSeconds)));

        heard.Clear();
        test.Machine.Restore(Source(test.Snapshot()));
        Assert.Equal([(0L, 0L), (7L, 10L)], heard.Select(lease => (lease.Id, lease.TtlSeconds)));
    }
}

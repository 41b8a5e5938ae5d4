using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using static Kvorum.Server.Tests.Etcd.EtcdClient;
using Operator = Kvorum.Protocol.Etcd.Compare.Types.CompareResult;
using Target = Kvorum.Protocol.Etcd.Compare.Types.CompareTarget;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Line 4 of the interface: transactions.</summary>
[Collection(EtcdNodeCollection.Name)]
public class EtcdTxnTests(EtcdNodeFixture node)
{
    private readonly EtcdClient _etcd = node.Client;

    [Fact]
    public async Task Etcd_4_1_a_branch_has_at_most_128_operations_a_nested_one_what_is_left()
    {
        await _etcd.TxnAsync(Then([.. Enumerable.Range(0, 128).Select(i => Put($"4.1/{i}", "x"))]));
        var tooMany = (GrpcStatusCode.InvalidArgument, "etcdserver: too many operations in txn request");
        Assert.Equal(
            tooMany,
            await FailureOfAsync(
                _etcd.TxnAsync(Then([.. Enumerable.Range(0, 129).Select(i => Put($"4.1/{i}", "x"))]))));
        TxnRequest Nested(int inner) => Then(
            [Nest(Then([.. Enumerable.Range(0, inner).Select(i => Put($"4.1/{i}", "x"))])), Put("4.1/z", "x")]);
        await _etcd.TxnAsync(Nested(126));
        Assert.Equal(tooMany, await FailureOfAsync(_etcd.TxnAsync(Nested(127))));
    }

    [Fact]
    public async Task Etcd_4_2_empty_keys_and_operations_are_refused()
    {
        foreach (var request in new[]
        {
            new TxnRequest { Compare = { Number(Target.Mod, "", Operator.Equal, 0) } },
            Then(Put("", "x")),
            Then(Range("")),
            Then(Delete("")),
            new TxnRequest { Failure = { Put("", "x") } },
        })
        {
            Assert.Equal(
                (GrpcStatusCode.InvalidArgument, "etcdserver: key is not provided"),
                await FailureOfAsync(_etcd.TxnAsync(request)));
        }

        Assert.Equal(
            (GrpcStatusCode.InvalidArgument, "etcdserver: key not found"),
            await FailureOfAsync(_etcd.TxnAsync(Then(new RequestOp()))));
    }

    [Fact]
    public async Task Etcd_4_3_one_key_is_put_once_in_a_branch()
    {
        foreach (var request in new[]
        {
            Then(Put("4.3", "1"), Put("4.3", "2")),
            Then(Put("4.3b", "1"), Delete("4.3", "4.4")),
            Then(Put("4.3", "1"), Nest(Then(Put("4.3", "2")))),
            Then(Nest(Then(Put("4.3", "1"))), Nest(Then(Put("4.3", "2")))),
        })
        {
            Assert.Equal(
                (GrpcStatusCode.InvalidArgument, "etcdserver: duplicate key given in txn request"),
                await FailureOfAsync(_etcd.TxnAsync(request)));
        }

        await _etcd.TxnAsync(new TxnRequest { Success = { Put("4.3", "1") }, Failure = { Put("4.3", "2") } });
        await _etcd.TxnAsync(
            Then(Nest(new TxnRequest { Success = { Put("4.3", "1") }, Failure = { Put("4.3", "2") } })));
        await _etcd.TxnAsync(Then(Delete("4.3", "4.4"), Delete("4.3a", "4.3z")));
        await _etcd.TxnAsync(Then(Range("4.3"), Put("4.3", "1")));
    }

    [Fact]
    public async Task Etcd_4_4_all_compares_choose_the_branch()
    {
        await _etcd.PutAsync("4.4", "x");
        var holds = Number(Target.Version, "4.4", Operator.Greater, 0);
        var fails = Number(Target.Version, "4.4", Operator.Equal, 0);
        async Task<bool> Succeeds(params Kvorum.Protocol.Etcd.Compare[] compares) =>
            (await _etcd.TxnAsync(new TxnRequest { Compare = { compares } })).Succeeded;
        Assert.True(await Succeeds());
        Assert.True(await Succeeds(holds));
        Assert.False(await Succeeds(holds, fails));
        var response = await _etcd.TxnAsync(
            new TxnRequest { Compare = { fails }, Success = { Put("4.4", "then") }, Failure = { Range("4.4") } });
        Assert.Equal("x", Text(Assert.Single(response.Responses).ResponseRange.Kvs[0].Value));
    }

    [Fact]
    public async Task Etcd_4_5_a_key_that_is_not_there_compares_as_0_and_its_value_as_nothing()
    {
        foreach (var target in new[] { Target.Version, Target.Create, Target.Mod, Target.Lease })
        {
            Assert.True(await HoldsAsync(Number(target, "4.5", Operator.Equal, 0)));
            Assert.True(await HoldsAsync(Number(target, "4.5", Operator.Less, 1)));
            Assert.False(await HoldsAsync(Number(target, "4.5", Operator.NotEqual, 0)));
        }

        foreach (var comparison in Enum.GetValues<Operator>())
        {
            Assert.False(await HoldsAsync(Value("4.5", comparison, "")));
        }
    }

    [Fact]
    public async Task Etcd_4_6_a_compare_of_a_range_holds_for_every_key_in_it()
    {
        await _etcd.PutAsync("4.6a", "x");
        await _etcd.PutAsync("4.6b", "y");
        Kvorum.Protocol.Etcd.Compare Ranged(Kvorum.Protocol.Etcd.Compare compare, string end)
        {
            compare.RangeEnd = Bytes(end);
            return compare;
        }

        Assert.True(await HoldsAsync(Ranged(Value("4.6", Operator.Greater, "w"), "4.7")));
        Assert.False(await HoldsAsync(Ranged(Value("4.6", Operator.Equal, "x"), "4.7")));
        Assert.True(await HoldsAsync(Ranged(Number(Target.Version, "4.6", Operator.Equal, 1), "4.7")));
        Assert.True(await HoldsAsync(Ranged(Number(Target.Version, "4.6x", Operator.Equal, 0), "4.6y")));
        Assert.False(await HoldsAsync(Ranged(Number(Target.Version, "4.6x", Operator.Greater, 0), "4.6y")));
    }

    [Fact]
    public async Task Etcd_4_7_every_comparison_with_every_target()
    {
        var lease = (await _etcd.GrantAsync(600)).ID;
        var created = (await _etcd.PutAsync("4.7", "m", lease)).Header.Revision;
        var modified = (await _etcd.PutAsync("4.7", "m", lease)).Header.Revision;
        foreach (var (target, value) in new[]
        {
            (Target.Version, 2), (Target.Create, created), (Target.Mod, modified), (Target.Lease, lease),
        })
        {
            foreach (var offset in new[] { -1, 0, 1 })
            {
                var given = value + offset;
                Assert.Equal(value == given, await HoldsAsync(Number(target, "4.7", Operator.Equal, given)));
                Assert.Equal(value != given, await HoldsAsync(Number(target, "4.7", Operator.NotEqual, given)));
                Assert.Equal(value > given, await HoldsAsync(Number(target, "4.7", Operator.Greater, given)));
                Assert.Equal(value < given, await HoldsAsync(Number(target, "4.7", Operator.Less, given)));
            }
        }

        Assert.True(await HoldsAsync(Value("4.7", Operator.Equal, "m")));
        Assert.True(await HoldsAsync(Value("4.7", Operator.NotEqual, "m\0")));
        Assert.True(await HoldsAsync(Value("4.7", Operator.Less, "\xFF")));
        Assert.True(await HoldsAsync(Value("4.7", Operator.Greater, "")));
        Assert.False(await HoldsAsync(new Kvorum.Protocol.Etcd.Compare { Key = Bytes("4.7"), Target = Target.Mod }));
        Assert.True(await HoldsAsync(new Kvorum.Protocol.Etcd.Compare { Key = Bytes("4.7none"), Target = Target.Mod }));
    }

    [Fact]
    public async Task Etcd_4_8_and_4_9_answers_come_in_order_and_kind_with_the_revision_in_each_header()
    {
        await _etcd.PutAsync("4.8", "before");
        var response = await _etcd.TxnAsync(Then(
            Range("4.8"), Put("4.8", "after", previous: true), Nest(Then(Put("4.8b", "x"))), Delete("4.8c"),
            Range("4.8b")));
        Assert.Equal(
            [
                ResponseOp.ResponseOneofCase.ResponseRange, ResponseOp.ResponseOneofCase.ResponsePut,
                ResponseOp.ResponseOneofCase.ResponseTxn, ResponseOp.ResponseOneofCase.ResponseDeleteRange,
                ResponseOp.ResponseOneofCase.ResponseRange,
            ],
            response.Responses.Select(answer => answer.ResponseCase));
        Assert.Equal("before", Text(response.Responses[1].ResponsePut.PrevKv.Value));
        var revision = response.Header.Revision;
        var nested = response.Responses[2].ResponseTxn;
        Assert.True(nested.Succeeded);
        foreach (var header in new[]
        {
            response.Responses[0].ResponseRange.Header, response.Responses[1].ResponsePut.Header, nested.Header,
            nested.Responses[0].ResponsePut.Header, response.Responses[3].ResponseDeleteRange.Header,
        })
        {
            Assert.Equal(new ResponseHeader { Revision = revision }, header);
        }
    }

    [Fact]
    public async Task Etcd_4_10_a_read_sees_the_writes_before_it()
    {
        await _etcd.PutAsync("4.10", "before");
        var response = await _etcd.TxnAsync(Then(Range("4.10"), Put("4.10", "after"), Range("4.10"), Delete("4.10x")));
        Assert.Equal("before", Text(response.Responses[0].ResponseRange.Kvs[0].Value));
        Assert.Equal("after", Text(response.Responses[2].ResponseRange.Kvs[0].Value));
        Assert.Equal(response.Header.Revision, response.Responses[2].ResponseRange.Kvs[0].ModRevision);
    }

    [Fact]
    public async Task Etcd_4_11_and_4_12_a_transaction_that_writes_nothing_has_no_revision_of_its_own()
    {
        var before = await _etcd.RevisionAsync();
        Assert.Equal(before, (await _etcd.TxnAsync(Then(Range("4.11")))).Header.Revision);
        Assert.Equal(before, (await _etcd.TxnAsync(Then(Delete("4.11none")))).Header.Revision);
        Assert.Equal(before + 1, (await _etcd.TxnAsync(Then(Put("4.11", "a"), Put("4.11b", "b")))).Header.Revision);
        Assert.Equal(before + 1, await _etcd.RevisionAsync());
    }

    [Fact]
    public async Task Etcd_4_13_what_fails_inside_fails_all()
    {
        var before = await _etcd.RevisionAsync();
        foreach (var (operation, code, detail) in new[]
        {
            (Put("4.13b", "x", lease: 123), GrpcStatusCode.NotFound, "etcdserver: requested lease not found"),
            (Range("4.13", before + 9), GrpcStatusCode.OutOfRange,
                "etcdserver: mvcc: required revision is a future revision"),
            (new RequestOp { RequestPut = new PutRequest { Key = Bytes("4.13c"), IgnoreValue = true } },
                GrpcStatusCode.InvalidArgument, "etcdserver: key not found"),
        })
        {
            Assert.Equal((code, detail), await FailureOfAsync(_etcd.TxnAsync(Then(Put("4.13a", "x"), operation))));
        }

        Assert.Empty((await _etcd.GetAsync("4.13", "4.14")).Kvs);
        Assert.Equal(before, await _etcd.RevisionAsync());
    }

    [Fact]
    public async Task Etcd_4_14_the_shapes_of_optimistic_writers()
    {
        TxnRequest Write(long revision, string value) => new()
        {
            Compare = { Number(Target.Mod, "4.14", Operator.Equal, revision) },
            Success = { Put("4.14", value) },
            Failure = { Range("4.14") },
        };
        var created = await _etcd.TxnAsync(Write(0, "1"));
        Assert.True(created.Succeeded);
        var refused = await _etcd.TxnAsync(Write(0, "2"));
        Assert.False(refused.Succeeded);
        var found = Assert.Single(refused.Responses).ResponseRange.Kvs[0];
        Assert.Equal(("1", created.Header.Revision), (Text(found.Value), found.ModRevision));
        Assert.True((await _etcd.TxnAsync(Write(found.ModRevision, "2"))).Succeeded);
    }

    private static TxnRequest Then(params RequestOp[] operations) => new() { Success = { operations } };

    private static RequestOp Put(string key, string value, long lease = 0, bool previous = false) => new()
    {
        RequestPut = new PutRequest { Key = Bytes(key), Value = Bytes(value), Lease = lease, PrevKv = previous },
    };

    private static RequestOp Range(string key, long revision = 0) =>
        new() { RequestRange = new RangeRequest { Key = Bytes(key), Revision = revision } };

    private static RequestOp Delete(string key, string end = "") =>
        new() { RequestDeleteRange = new DeleteRangeRequest { Key = Bytes(key), RangeEnd = Bytes(end) } };

    private static RequestOp Nest(TxnRequest txn) => new() { RequestTxn = txn };

    private static Kvorum.Protocol.Etcd.Compare Value(string key, Operator comparison, string value) =>
        new() { Key = Bytes(key), Target = Target.Value, Result = comparison, Value = Bytes(value) };

    private static Kvorum.Protocol.Etcd.Compare Number(Target target, string key, Operator comparison, long number)
    {
        var compare = new Kvorum.Protocol.Etcd.Compare { Key = Bytes(key), Target = target, Result = comparison };
        switch (target)
        {
            case Target.Version: compare.Version = number; break;
            case Target.Create: compare.CreateRevision = number; break;
            case Target.Mod: compare.ModRevision = number; break;
            default: compare.Lease = number; break;
        }

        return compare;
    }

    private async Task<bool> HoldsAsync(Kvorum.Protocol.Etcd.Compare compare) =>
        (await _etcd.TxnAsync(new TxnRequest { Compare = { compare } })).Succeeded;
}

using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>The append command: lists grow by one item, and what is not a list is left alone.</summary>
public class AppendTests
{
    [Fact]
    public void An_append_to_a_missing_key_makes_a_list_of_one()
    {
        using var test = new TestMachine();
        var result = test.Append("l", "cat");
        Assert.Equal((CommandStatus.Ok, 2L, 1L), (result.Status, result.Revision, result.Count));
        Assert.Equal("[\"cat\"]", test.Get("l"));
    }

    [Fact]
    public void Appends_count_the_items_and_the_versions()
    {
        using var test = new TestMachine();
        test.Put("l", "[\"cat\",\"dog\"]");
        Assert.Equal(3, test.Append("l", "cow").Count);
        Assert.Equal(4, test.Append("l", "").Count);
        Assert.Equal("[\"cat\",\"dog\",\"cow\",\"\"]", test.Get("l"));
        var row = test.Row("l")!;
        Assert.Equal((2, 4, 3), (row.CreateRevision, row.ModRevision, row.Version));
    }

    [Fact]
    public void An_append_after_a_delete_makes_a_new_list()
    {
        using var test = new TestMachine();
        test.Append("l", "cat");
        test.Delete("l");
        Assert.Equal(1, test.Append("l", "dog").Count);
        Assert.Equal(1, test.Row("l")!.Version);
    }

    [Fact]
    public void An_append_keeps_the_lease()
    {
        using var test = new TestMachine();
        test.Apply(new LeaseGrant(5, 10));
        test.Apply(new Put(Bytes("l"), Bytes("[]")) { Lease = 5 });
        test.Append("l", "cat");
        Assert.Equal(5, test.Row("l")!.Lease);
    }

    [Theory]
    [InlineData("no list")]
    [InlineData("")]
    [InlineData("[1]")]
    [InlineData("{\"a\":[]}")]
    public void A_value_that_is_no_list_is_left_alone_and_no_revision_is_used(string value)
    {
        using var test = new TestMachine();
        test.Put("l", value);
        var result = test.Append("l", "cat");
        Assert.Equal((CommandStatus.NotAList, 2L, 0L), (result.Status, result.Revision, result.Count));
        Assert.Equal(value, test.Get("l"));
        Assert.Equal(1, test.Row("l")!.Version);
    }

    [Fact]
    public void An_item_that_is_no_text_is_refused()
    {
        using var test = new TestMachine();
        var result = test.Apply(new Append(Bytes("l"), new byte[] { 0xFF }));
        Assert.Equal((CommandStatus.NotAList, 1L), (result.Status, result.Revision));
        Assert.Null(test.Get("l"));
    }

    [Fact]
    public void A_list_that_would_grow_too_large_is_left_alone_and_no_revision_is_used()
    {
        using var test = new TestMachine();
        var item = new string('a', 1_000_000);
        Assert.Equal(CommandStatus.Ok, test.Append("l", item).Status);
        var result = test.Append("l", item);
        Assert.Equal((CommandStatus.ValueTooLarge, 2L), (result.Status, result.Revision));
        Assert.Equal(1_000_004, test.Row("l")!.Value.Length);
        Assert.Equal(2, test.Append("l", "small").Count);
    }
}

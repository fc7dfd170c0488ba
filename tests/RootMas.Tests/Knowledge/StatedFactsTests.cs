using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Models.Offline;

namespace RootMas.Tests.Knowledge;

/// <summary>What the rules see in words, and what they leave alone.</summary>
public sealed class StatedFactsTests
{
    [Theory]
    [InlineData("The user likes tea", "Remember that I like tea. My password is hunter2", "Remember that I like tea.")]
    [InlineData("Пользователь живёт в Казани", "Привет! Я живу в Казани, запомни. Сколько будет 2.5 + 2?", "Я живу в Казани, запомни.")]
    [InlineData("The user has a dog", "запомни это", "запомни это")]
    [InlineData("The user has a dog", "Please note it. Thank you", null)]
    public void Of_a_message_only_the_sentence_that_says_the_fact_is_kept(string fact, string message, string? sentence) =>
        Assert.Equal(sentence, RootMas.Server.Knowledge.Memory.FactText.SentenceThatSays(fact, message));

    [Theory]
    [InlineData("I live in Kazan.", "home", "I live in Kazan")]
    [InlineData("By the way, I now live in New York. What is 2+2?", "home", "By the way, I now live in New York")]
    [InlineData("Я живу в Казани", "home", "Я живу в Казани")]
    [InlineData("Теперь живу в Перми, работы много", "home", "Теперь живу в Перми, работы много")]
    [InlineData("Я переехала в Москву", "home", "Я переехала в Москву")]
    [InlineData("My name is Ann", "name", "My name is Ann")]
    [InlineData("Меня зовут Анна.", "name", "Меня зовут Анна")]
    [InlineData("I work at Acme", "employer", "I work at Acme")]
    [InlineData("Я работаю в Ромашке", "employer", "Я работаю в Ромашке")]
    [InlineData("I don't like coffee", "like:coffee", "I don't like coffee")]
    [InlineData("I don’t like coffee", "like:coffee", "I don’t like coffee")]
    [InlineData("I can’t stand coffee", "like:coffee", "I can’t stand coffee")]
    [InlineData("I’m allergic to nuts", "allergy:nuts", "I’m allergic to nuts")]
    [InlineData("I like coffee", "like:coffee", "I like coffee")]
    [InlineData("Я не люблю кофе", "like:кофе", "Я не люблю кофе")]
    [InlineData("Я люблю кофе", "like:кофе", "Я люблю кофе")]
    [InlineData("My dog's name is Rex", "dog's name", "My dog's name is Rex")]
    [InlineData("My dog’s name is Rex", "dog's name", "My dog’s name is Rex")]
    [InlineData("Don’t forget that my flight is on Friday", "flight", "my flight is on Friday")]
    [InlineData("Мой любимый цвет — синий", "любимый цвет", "Мой любимый цвет — синий")]
    [InlineData("Remember that my flight is on Friday", "flight", "my flight is on Friday")]
    [InlineData("Запомни, что у меня аллергия на орехи", "allergy:орехи", "у меня аллергия на орехи")]
    [InlineData("Запомни: встреча по вторникам", null, "встреча по вторникам")]
    public void A_statement_about_oneself_is_found_in_its_own_words(string said, string? attribute, string text)
    {
        var fact = Assert.Single(StatedFacts.Find(said));
        Assert.Equal((attribute, text), (fact.Attribute, fact.Text));
        Assert.True(StatedFacts.IsPersonal(said));
    }

    [Theory]
    [InlineData("Я живу в Казани и работаю в компании Ромашка.", "home: Я живу в Казани", "employer: работаю в компании Ромашка")]
    [InlineData("I live in Kazan, and I work at Acme", "home: I live in Kazan", "employer: I work at Acme")]
    [InlineData("My name is Ann, I live in Perm and I like salt and pepper", "name: My name is Ann", "home: I live in Perm", "like:salt and pepper: I like salt and pepper")]
    [InlineData("I live in Kazan and Moscow", "home: I live in Kazan and Moscow")]
    [InlineData("Я живу в Казани и дом мне нравится", "home: Я живу в Казани и дом мне нравится")]
    [InlineData("Remember that I live in Kazan and I work at Acme", ": I live in Kazan and I work at Acme")]
    public void A_sentence_that_states_several_things_is_several_facts_of_which_none_ends_another(string said, params string[] facts) =>
        Assert.Equal(facts, StatedFacts.Find(said).Select(static f => $"{f.Attribute}: {f.Text}"));

    [Theory]
    [InlineData("Анна Петрова работает в Ромашке")]
    [InlineData("Анна переехала в Москву")]
    [InlineData("Where do I live?")]
    [InlineData("Как меня зовут?")]
    [InlineData("Remember to buy milk")]
    [InlineData("What is the capital of France?")]
    [InlineData("The server is in Kazan.")]
    [InlineData("Don't remember that I live in Kazan")]
    [InlineData("Don’t remember that I live in Kazan")]
    [InlineData("Please don’t note that my name is Ann")]
    public void Questions_and_what_is_said_about_others_are_no_facts_about_oneself(string said) => Assert.Empty(StatedFacts.Find(said));

    [Theory]
    [InlineData("What is (3+4)*5?", false)]
    [InlineData("Переведи на английский: стол", false)]
    [InlineData("Plan a trip to Kazan", false)]
    [InlineData("My wife is a doctor", true)]
    [InlineData("родился в 1980", true)]
    public void Only_words_about_oneself_are_worth_a_closer_look(string said, bool personal) => Assert.Equal(personal, StatedFacts.IsPersonal(said));

    [Theory]
    [InlineData("My wifi password hunter2", true)]
    [InlineData("мой пароль Qwerty123", true)]
    [InlineData("The password for printers room9door", true)]
    [InlineData("Her PIN 4711", true)]
    [InlineData("Пин-код 0420", true)]
    [InlineData("The user forgot the password again", false)]
    [InlineData("The password was changed in 2023", false)]
    [InlineData("Пароль меняют каждый месяц", false)]
    [InlineData("The user pinned 4711 notes", false)]
    public void A_secret_is_told_by_the_word_for_it_and_its_form(string text, bool isSecret) => Assert.Equal(isSecret, FactText.IsSecret(text));
}
